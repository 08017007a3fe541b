#include "core/daemon/config_reload.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string_view>

#include "core/base/limits.hpp"

namespace oarlock::daemon {

namespace {

bool is_taken_over(const std::string& setting) {
  constexpr std::array<std::string_view, 5> all = {"log-level", "log-format", "plugin",
                                                   "plugin-quota", "plugin-config"};
  return std::find(all.begin(), all.end(), setting) != all.end();
}

}  // namespace

config_reload::config_reload(options running, std::function<parsed_flags()> reread,
                             metric_registry& metrics, std::function<void(const options&)> then)
    : running_(std::move(running)),
      reread_(std::move(reread)),
      then_(std::move(then)),
      successful_(metrics.make_gauge("oarlock_config_last_reload_successful",
                                     "1 unless the configuration was read again with a mistake",
                                     {})),
      seen_(all_texts()) {
  successful_.set(1);
}

// Empty when it cannot be read. Longer files are refused when they are parsed.
std::string config_reload::file_text() const {
  std::string found;
  if (running_.config_file.empty()) return found;
  std::ifstream in(running_.config_file, std::ios::binary);
  found.resize(limits::yaml_file_bytes_max + 1);
  in.read(found.data(), static_cast<std::streamsize>(found.size()));
  found.resize(static_cast<std::size_t>(in.gcount()));
  return found;
}

std::string config_reload::all_texts() const {
  return file_text() + running_.plugin_configs.all_texts();
}

void config_reload::reload_if_changed() {
  if (all_texts() != seen_) reload();
}

void config_reload::reload() {
  const auto file = file_text();
  seen_ = file + running_.plugin_configs.all_texts();
  const auto parsed = reread_();
  successful_.set(parsed.run ? 1 : 0);
  if (!parsed.run) {
    log_error("the new configuration has a mistake; the old one stays", {{"error", parsed.err}});
    return;
  }
  std::string need_restart;
  for (const auto& s : all_settings()) {
    const std::string name(s.name);
    if (is_taken_over(name)) continue;
    if (s.show(running_) == s.show(*parsed.run)) continue;
    need_restart += (need_restart.empty() ? "" : ", ") + name;
  }
  running_.log_level = parsed.run->log_level;
  running_.log_format = parsed.run->log_format;
  running_.plugins = parsed.run->plugins;
  running_.plugin_quotas = parsed.run->plugin_quotas;
  running_.plugin_configs = parsed.run->plugin_configs;
  seen_ = file + running_.plugin_configs.all_texts();
  log_configure(running_.log_level, running_.log_format);
  log_info("configuration read again", {{"file", running_.config_file}});
  if (!need_restart.empty()) {
    log_warn("changed settings wait for a restart", {{"settings", need_restart}});
  }
  then_(running_);
}

}  // namespace oarlock::daemon
