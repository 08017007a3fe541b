#pragma once
// Whether this process leads (extension oarlock.leadership/1). A host without it leads never.
#include <chrono>
#include <limits>

#include "oarlock/ext/leadership.h"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// Thread: any.
class leadership {
 public:
  leadership() = default;
  explicit leadership(const oarlock_host& host)
      : ctx_(host.ctx),
        table_(static_cast<const oarlock_host_leadership*>(
            host.extension(host.ctx, to_view(OARLOCK_EXT_LEADERSHIP)))) {}

  /// Until when no other process can be the leader, as of now: ask again rather than keep it.
  /// min(): this one does not lead; max(): for ever.
  [[nodiscard]] std::chrono::steady_clock::time_point valid_until() const {
    const auto ns =
        table_ == nullptr ? std::numeric_limits<std::int64_t>::min() : table_->valid_until(ctx_);
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns));
  }
  /// Whether nobody else can lead before `work` from now on has passed.
  [[nodiscard]] bool lasts(std::chrono::nanoseconds work) const {
    return std::chrono::steady_clock::now() + work < valid_until();
  }

 private:
  oarlock_host_ctx* ctx_ = nullptr;
  const oarlock_host_leadership* table_ = nullptr;
};

}  // namespace oarlock::sdk
