#pragma once
// Which thread word the calling thread is under (extension oarlock.thread/1).
#include <cstdint>
#include <optional>

#include "oarlock/ext/thread.h"
#include "oarlock/host.h"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// The values of oarlock_thread.
enum class thread_kind : std::int32_t {
  own = 0,      ///< one that the plugin has started
  control = 1,  ///< in the constructor, start(), drain() or stop()
  worker = 2,   ///< in observe(), plan(), effect(), ...
};

/// Thread: any.
class threads {
 public:
  threads() = default;
#if OARLOCK_ABI_MINOR >= 7
  explicit threads(const oarlock_host& host)
      : ctx_(host.ctx),
        table_(static_cast<const oarlock_host_thread*>(
            host.extension(host.ctx, to_view(OARLOCK_EXT_THREAD)))) {}

  /// Of the calling thread; nullopt when the host cannot tell.
  [[nodiscard]] std::optional<thread_kind> current() const {
    if (table_ == nullptr) return std::nullopt;
    return thread_kind{table_->current(ctx_)};
  }

 private:
  oarlock_host_ctx* ctx_ = nullptr;
  const oarlock_host_thread* table_ = nullptr;
#else
  explicit threads(const oarlock_host& /*host*/) {}
  [[nodiscard]] static std::optional<thread_kind> current() { return std::nullopt; }
#endif
};

}  // namespace oarlock::sdk
