#pragma once
// The configuration files, read again while the daemon runs: at SIGHUP, and when its text changes.
#include <functional>
#include <string>
#include <vector>

#include "core/base/metric_registry.hpp"
#include "core/daemon/flags.hpp"

namespace oarlock::daemon {

/// Thread: one.
class config_reload {
 public:
  /// `reread` parses flags and file anew; `then` is told what was read, and takes over the plugins.
  config_reload(options running, std::function<parsed_flags()> reread, metric_registry& metrics,
                std::function<void(const options&)> then);

  /// Takes over log-level, log-format, plugin, plugin-quota and plugin-config, names what changed
  /// besides and needs a restart. A file with a mistake changes nothing: the log says where it is,
  /// and the gauge oarlock_config_last_reload_successful is 0 until it is gone.
  void reload();
  /// reload(), if a file has another text than the last time. Config maps swap links, so the text
  /// counts and not its time.
  void reload_if_changed();

 private:
  [[nodiscard]] std::string file_text() const;
  [[nodiscard]] std::string all_texts() const;

  options running_;
  std::function<parsed_flags()> reread_;
  std::function<void(const options&)> then_;
  gauge& successful_;
  std::string seen_;
};

}  // namespace oarlock::daemon
