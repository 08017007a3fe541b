#pragma once
// What a call does after an attempt failed: one table for reads and writes. Pure.
#include <optional>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::kube {

/// At most so many attempts at one call, the first included (client-go's bound).
inline constexpr int attempts_max = 10;

/// How one attempt failed.
struct failure {
  error why;
  bool nothing_sent = false;  ///< no byte reached the server: a write may be sent again
  int status = 0;             ///< of the answer; 0: there was none
};

/// Turns a transport failure into one attempt's failure.
[[nodiscard]] failure transport_failure(const error& e, bool is_write);
/// Turns an answer outside 2xx into one. A write's 5xx is `unavailable` only where the API server
/// itself says in a Status that it did not act; from a proxy, or after a time-out on the way to the
/// store, its outcome is unknown.
[[nodiscard]] failure answer_failure(int http_status, std::string_view body,
                                     std::string_view retry_after_header, bool is_write);

/// How long to wait before attempt `attempt` + 1, counted from 1; nullopt when the call is over.
/// 100 ms doubling, or what the server asked for. No jitter: the callers' own backoff has it.
[[nodiscard]] std::optional<duration> retry_delay(const failure& f, bool is_write, int attempt);

}  // namespace oarlock::kube
