#pragma once
// The composition of the core, and the order in which its parts start and stop.
#include <functional>
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/random.hpp"
#include "core/base/timers.hpp"
#include "core/daemon/flags.hpp"
#include "core/daemon/options.hpp"
#include "core/daemon/plugin_set.hpp"
#include "core/kube/connect.hpp"

namespace oarlock::daemon {

class daemon {
 public:
  /// What main chose; all of it outlives the daemon.
  struct parts {
    const clock* clock_source;
    timers* timer_source;
    random_source* random;
    metric_registry* metrics;
    /// Makes a connection whose sockets live on the given loop; nothing is sent yet.
    std::function<result<kube::connection>(executor)> connect;
    /// The same without any identity: a client certificate would win over a plugin's token.
    std::function<result<kube::connection>(executor)> connect_anonymous;
    plugin_set::loader load_plugin;
    plugin_set::loader load_in_child;
    /// Of a verified image: its home, and the fingerprint of its bytes.
    std::function<plugin_set::loader(bool in_core, const std::string& fingerprint)> load_image;
    /// For what is loaded after a reload; may be empty.
    std::function<void(const plugin::quota_table&)> take_quotas;
    std::function<void(const plugin::config_table&)> take_configs;
    /// Where plugins read until when this process leads; null: nowhere.
    plugin::lease_limit* lease_limit = nullptr;
    /// The last run of this process left a record that names a plugin.
    bool crash_explained = false;
    std::string host_name;
    /// Parses flags and configuration file again, for a reload.
    std::function<parsed_flags()> reread;
  };
  daemon(options o, parts p);
  ~daemon();

  /// Runs until SIGTERM or SIGINT; a second one exits at once with 128 + its number. Returns the
  /// exit code: 0 after a graceful stop, 1 when something could not be started or stopped in time,
  /// 2 for a connection that cannot be configured.
  [[nodiscard]] int run();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace oarlock::daemon
