#pragma once
#include "core/base/clock.hpp"

namespace oarlock {

/// The machine's clocks.
class system_clock final : public clock {
 public:
  [[nodiscard]] steady_time now() const override;
  [[nodiscard]] wall_time wall_now() const override;
};

}  // namespace oarlock
