#include "core/daemon/plugin_homes.hpp"

#include <utility>

#include "core/base/log.hpp"
#include "core/plugin/manifest.hpp"

namespace oarlock::daemon {

plugin_homes::plugin_homes(const options& o, demotions demoted, const clock& clock_source,
                           metric_registry& metrics, const plugin::lease_page& lease)
    : in_children_(o.plugins_in_children),
      homes_(o.plugin_homes),
      quotas_(o.plugin_quotas),
      configs_(o.plugin_configs),
      demoted_(std::move(demoted)),
      clock_(clock_source),
      metrics_(metrics),
      lease_(lease) {
  settings_.quotas = &quotas_;
  settings_.lease = &lease_;
  settings_.configs = &configs_;
  if (!o.extra_exports_refused) settings_.exports = plugin::export_rule::warn;
  if (!o.sandbox_required) settings_.sandbox = plugin::wire::sandbox_mode::best_effort;
}

plugin_set::loader plugin_homes::as_configured() {
  return [this](const std::filesystem::path& path, const std::string& config_json) {
    return load(path, config_json);
  };
}

plugin_set::loader plugin_homes::in_children(std::string why) {
  return [this, why = std::move(why)](const std::filesystem::path& path,
                                      const std::string& config_json) {
    return load_in_child(path, config_json, why);
  };
}

plugin_homes::loaded plugin_homes::load(const std::filesystem::path& path,
                                        const std::string& config_json) {
  // One that cannot be read is refused below, with the reason.
  const auto declared = plugin::read_manifest(plugin::manifest_beside(path));
  const auto said = declared ? homes_.find(declared->name) : homes_.end();
  const bool in_child = said == homes_.end() ? in_children_ : said->second;
  return in_child ? load_in_child(path, config_json, {}) : load_in_core(path, config_json, {});
}

plugin_set::loader plugin_homes::of_image(bool in_core, const std::string& fingerprint) {
  return [this, in_core, fingerprint](const std::filesystem::path& path,
                                      const std::string& config_json) {
    return in_core ? load_in_core(path, config_json, fingerprint)
                   : load_in_child(path, config_json, {}, fingerprint);
  };
}

plugin_homes::loaded plugin_homes::load_in_core(const std::filesystem::path& path,
                                                const std::string& config_json,
                                                std::string fingerprint) {
  const auto declared = plugin::read_manifest(plugin::manifest_beside(path));
  const auto why = declared ? demoted_.why(declared->name, declared->version) : std::nullopt;
  if (!why) {
    return plugin::load_plugin(path, config_json,
                               {&quotas_, &clock_, &metrics_, &lease_.limit(),
                                std::move(fingerprint), &configs_, settings_.exports});
  }
  log_warn("plugin runs in a child: it crashed the daemon from inside",
           {{"plugin", declared->name}, {"version", declared->version}, {"how", *why}});
  return load_in_child(path, config_json, "in a child, as it crashed the daemon: " + *why,
                       std::move(fingerprint));
}

plugin_homes::loaded plugin_homes::load_in_child(const std::filesystem::path& path,
                                                 const std::string& config_json, std::string why,
                                                 std::string fingerprint) {
  auto settings = settings_;
  settings.fingerprint = std::move(fingerprint);
  settings.note = std::move(why);
  auto made = plugin::load_plugin_in_child(path, config_json, settings, clock_, metrics_);
  if (made && !settings.note.empty()) {
    metrics_
        .make_gauge("oarlock_plugin_demoted",
                    "1 for a plugin that was moved from the core to a child by itself",
                    {{"plugin", (*made)->declared().name}})
        .set(1);
  }
  return made;
}

}  // namespace oarlock::daemon
