#pragma once
// The client-side rate limit of --kube-api-qps and --kube-api-burst: off unless somebody sets it,
// because the API server's priority and fairness knows better.
#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"

namespace oarlock::kube {

/// A token bucket for all requests of one process but those for its lease. Who waits takes turns by
/// flow (plugin), so that one with many requests does not hold up another. Thread: one loop.
class rate_limit {
 public:
  struct parts {
    executor loop;
    const clock* clock_source;
    timers* timer_source;
    double per_second;  ///< above 0
    std::size_t burst;  ///< at least 1: so many at once after a pause
  };
  explicit rate_limit(parts p);
  ~rate_limit();
  rate_limit(const rate_limit&) = delete;
  rate_limit& operator=(const rate_limit&) = delete;

  /// Waits until one of `flow` may be sent. Fails with kube_error::throttled at `deadline`, or
  /// cancelled.
  task<result<>> turn(std::string flow, steady_time deadline, std::stop_token stop);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::kube
