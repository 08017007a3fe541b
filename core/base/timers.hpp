#pragma once
// Sleeping, as the core sees it. daemon/main chooses the implementation.
#include <stop_token>

#include "core/base/clock.hpp"
#include "core/base/task.hpp"

namespace oarlock {

/// Thread: any; the caller resumes on its own executor.
class timers {
 public:
  virtual ~timers() = default;
  /// Sleeps for `how_long`. Returns false at once when `stop` is or becomes requested.
  [[nodiscard]] virtual task<bool> sleep_for(duration how_long, std::stop_token stop) = 0;
};

}  // namespace oarlock
