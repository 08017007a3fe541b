#pragma once
// The host's clocks (extension oarlock.clock/1), or the system's when the host has none.
#include <chrono>

#include "oarlock/ext/clock.h"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// Not for plan(), which has now(). Thread: any.
class clock {
 public:
  clock() = default;
  explicit clock(const oarlock_host& host)
      : ctx_(host.ctx),
        table_(static_cast<const oarlock_host_clock*>(
            host.extension(host.ctx, to_view(OARLOCK_EXT_CLOCK)))) {}

  [[nodiscard]] std::chrono::steady_clock::time_point now() const {
    if (table_ == nullptr) return std::chrono::steady_clock::now();
    return std::chrono::steady_clock::time_point(
        std::chrono::nanoseconds(table_->monotonic_ns(ctx_)));
  }
  [[nodiscard]] std::chrono::system_clock::time_point wall_now() const {
    if (table_ == nullptr) return std::chrono::system_clock::now();
    return std::chrono::system_clock::time_point(std::chrono::milliseconds(table_->unix_ms(ctx_)));
  }

 private:
  oarlock_host_ctx* ctx_ = nullptr;
  const oarlock_host_clock* table_ = nullptr;
};

}  // namespace oarlock::sdk
