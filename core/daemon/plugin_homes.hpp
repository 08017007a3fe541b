#pragma once
// In which home each plugin is loaded: the one that was configured, unless it crashed the daemon.
#include <map>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/daemon/demotions.hpp"
#include "core/daemon/options.hpp"
#include "core/daemon/plugin_set.hpp"
#include "core/plugin/child_host.hpp"

namespace oarlock::daemon {

/// Outlives its loaders. Thread: one at a time.
class plugin_homes {
 public:
  plugin_homes(const options& o, demotions demoted, const clock& clock_source,
               metric_registry& metrics, const plugin::lease_page& lease);
  plugin_homes(const plugin_homes&) = delete;
  plugin_homes& operator=(const plugin_homes&) = delete;

  /// As configured; a plugin that crashed the daemon goes to a child all the same.
  [[nodiscard]] plugin_set::loader as_configured();
  /// Of what is loaded from now on.
  void take_quotas(const plugin::quota_table& quotas) { quotas_ = quotas; }
  void take_configs(const plugin::config_table& configs) { configs_ = configs; }
  /// Of a verified image, whose bytes have this fingerprint.
  [[nodiscard]] plugin_set::loader of_image(bool in_core, const std::string& fingerprint);
  /// All in children; /readyz says why.
  [[nodiscard]] plugin_set::loader in_children(std::string why);

 private:
  using loaded = result<std::unique_ptr<plugin::loaded_plugin>>;
  [[nodiscard]] loaded load(const std::filesystem::path& path, const std::string& config_json);
  [[nodiscard]] loaded load_in_core(const std::filesystem::path& path,
                                    const std::string& config_json, std::string fingerprint);
  [[nodiscard]] loaded load_in_child(const std::filesystem::path& path,
                                     const std::string& config_json, std::string why,
                                     std::string fingerprint = {});

  const bool in_children_;
  const std::map<std::string, bool> homes_;
  plugin::quota_table quotas_;
  plugin::config_table configs_;
  plugin::child_settings settings_;
  const demotions demoted_;
  const clock& clock_;
  metric_registry& metrics_;
  const plugin::lease_page& lease_;
};

}  // namespace oarlock::daemon
