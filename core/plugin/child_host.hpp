#pragma once
// `home: child`: the same plugin, in a process of its own behind walls.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/plugin/load_request.hpp"
#include "core/plugin/plugin_host.hpp"

namespace oarlock::plugin {

struct child_settings {
  std::filesystem::path program;  ///< empty: beside this one, or ../libexec/oarlock
  wire::sandbox_mode sandbox = wire::sandbox_mode::required;
  std::uint32_t user = 65534;  ///< of the child, when this process is root
  std::uint32_t workers = 4;   ///< plans at the same time
  duration plan_limit = std::chrono::seconds(10);
  duration call_limit = std::chrono::seconds(30);  ///< of create, start, drain and stop
  /// Private, anonymous; 0: no limit. The quota of the plugin, where `quotas` is not null.
  std::uint64_t memory_bytes_max = plugin_quota{}.child_memory_bytes;
  std::uint64_t threads_max = 64;
  /// A child that ended is started again at once, so that other keys do not wait; but no more often
  /// than so many at once and one in each interval.
  int restarts_at_once = 30;
  duration restart_interval = std::chrono::seconds(2);
  duration watch_period = std::chrono::seconds(1);
  /// A key whose plans ended so many children in a row is left alone until its object changes.
  int crashes_per_key = 3;
  std::string note;         ///< why it is in a child although it was not asked for; else empty
  std::string fingerprint;  ///< other bytes than these are refused; empty: whatever is there
  const quota_table* quotas = nullptr;    ///< null: nothing is limited; outlives the plugin
  const lease_page* lease = nullptr;      ///< null: nobody leads; outlives the plugin
  const config_table* configs = nullptr;  ///< as in host_services
  export_rule exports = export_rule::refuse;
};

/// As load_plugin(), but the plugin's code only ever runs in a child process. One that dies is
/// started again. Errors beside those of load_plugin(): no_host, no_sandbox, crashed.
/// `clock_source` and `metrics` must outlive the plugin.
[[nodiscard]] result<std::unique_ptr<loaded_plugin>> load_plugin_in_child(
    const std::filesystem::path& path, const given_config& config, const child_settings& settings,
    const clock& clock_source, metric_registry& metrics);

}  // namespace oarlock::plugin
