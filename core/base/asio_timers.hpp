#pragma once
#include "core/base/timers.hpp"

namespace oarlock {

/// Timers of the caller's own event loop.
class asio_timers final : public timers {
 public:
  [[nodiscard]] task<bool> sleep_for(duration how_long, std::stop_token stop) override;
};

}  // namespace oarlock
