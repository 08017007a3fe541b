#pragma once
// What the core offers to one plugin instance over the C ABI: the host table and its extensions.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/plugin/event_inbox.hpp"
#include "core/plugin/log_limit.hpp"
#include "core/plugin/plugin_host.hpp"
#include "oarlock/host.h"

namespace oarlock::plugin {

/// Lives from before create() until after destroy(). Its functions may be called on any thread.
/// What the plugin holds stays valid for good: a call after destroy() is told and does nothing.
class host_table {
 public:
  /// `controllers` are those of the plugin's manifest.
  explicit host_table(std::string plugin, std::vector<std::string> controllers = {},
                      const host_services& services = {});
  ~host_table();
  host_table(const host_table&) = delete;
  host_table& operator=(const host_table&) = delete;

  [[nodiscard]] const oarlock_host* table() const;
  [[nodiscard]] const std::string& plugin() const { return plugin_; }
  [[nodiscard]] log_limit& log_quota() const { return log_limit_; }
  [[nodiscard]] const std::shared_ptr<event_inbox>& inbox() const { return inbox_; }
  [[nodiscard]] registry_metrics& metrics() const { return metrics_; }
  /// As oarlock.clock/1 says it.
  [[nodiscard]] const clock& clock_source() const { return clock_; }
  /// Until when this process leads, as oarlock.leadership/1 says it.
  [[nodiscard]] std::int64_t lease_valid_until_ns() const;
  /// As the plugin's event sources do.
  [[nodiscard]] oarlock_status enqueue(std::string_view controller, std::string_view ns,
                                       std::string_view name) const;
  /// That a call failed without saying why, which breaks the plugin's contract. Thread: any.
  void count_unexplained() const {
    if (unexplained_ != nullptr) unexplained_->add();
  }
  /// Runs `work` with the host that lent `ctx`, which is not destroyed meanwhile. Does not run it
  /// for one that is gone: the log says that the plugin called `name`.
  static void during_call(oarlock_host_ctx* ctx, const char* name,
                          const std::function<void(const host_table&)>& work);
  /// The plugin that `ctx` was lent to, also when it is gone.
  [[nodiscard]] static std::string_view lent_to(const oarlock_host_ctx* ctx);
  /// The ids that this core knows.
  [[nodiscard]] static const std::vector<std::string_view>& extensions();

 private:
  struct lent;

  std::string plugin_;
  mutable log_limit log_limit_;
  std::shared_ptr<event_inbox> inbox_;
  mutable registry_metrics metrics_;
  const lease_limit* lease_;
  const clock& clock_;
  counter* unexplained_ = nullptr;  // null: nobody counts
  lent* lent_;                      // never freed
};

}  // namespace oarlock::plugin
