#pragma once
// What a trial's pod says of itself while it trains: news, never the truth, which is in Jobs, last
// words and files. A request leaves a note (POST .../<namespace>/<pipeline>/progress); the plan
// takes from the notes what it may believe.
#include <cstdint>
#include <map>
#include <string>

#include "oarlock/sdk/inbound.hpp"
#include "types.hpp"
#include "units.hpp"

namespace ml {

/// {"unit": "trial-0", "attempt": 1, "seq": 7, "step": 40, "total": 100, "metrics": {"loss": 0.2}}
struct report {
  std::string unit;
  std::int32_t attempt = 0;
  std::int64_t seq = 0;  ///< counts the reports of a pod, from 1
  std::int64_t step = 0;
  std::int64_t total = 0;
  std::map<std::string, double> metrics = {};
};

/// Throws json::parse_error, with what was expected and found.
[[nodiscard]] report read_report(json::node body);

/// Answers a request of a pod, and leaves its report for the plans.
void take_request(const sdk::inbound_request& request, sdk::inbound_response& response);

/// Enters what the pod that runs for a unit has said since. That of any other pod is ignored, as is
/// what is older than what is entered.
void take_report(unit_desk& desk, unit& entry, const std::string& pod_uid);

}  // namespace ml
