#pragma once
// The quota of log records of one plugin, in front of the log.
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/guarded.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/token_bucket.hpp"

namespace oarlock::plugin {

/// Thread: any.
class log_limit {
 public:
  struct parts {
    std::uint64_t lines_per_second = 0;  ///< ten times as many after a quiet time; 0: no limit
    const clock* clock_source = nullptr;
    metric_registry* metrics = nullptr;  ///< both outlive this, and are there with a limit
  };
  log_limit(const std::string& plugin, parts p);
  log_limit(const log_limit&) = delete;
  log_limit& operator=(const log_limit&) = delete;

  /// False: drop the record. That it drops is logged now and then, and counted.
  [[nodiscard]] bool admit();

 private:
  struct state {
    token_bucket bucket;
    std::uint64_t dropped = 0;  // since it was last told
    std::optional<steady_time> told;
  };

  const std::string plugin_;
  const parts parts_;
  guarded<std::optional<state>> state_;
  counter* over_ = nullptr;
};

}  // namespace oarlock::plugin
