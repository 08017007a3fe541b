#pragma once
// Time, as the core sees it. daemon/main chooses the implementation; nothing else reads a clock.
#include <chrono>

namespace oarlock {

using steady_time = std::chrono::steady_clock::time_point;
using wall_time = std::chrono::system_clock::time_point;
using duration = std::chrono::nanoseconds;

/// Thread: any.
class clock {
 public:
  virtual ~clock() = default;
  /// Monotonic: for deadlines, leases, backoff. Never goes back.
  [[nodiscard]] virtual steady_time now() const = 0;
  /// Wall clock: only for times that people or the API read.
  [[nodiscard]] virtual wall_time wall_now() const = 0;
};

}  // namespace oarlock
