#pragma once
// Plugins that crashed the daemon from inside: they run in a child from then on, as long as their
// version stays the same.
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/daemon/crash_record.hpp"

namespace oarlock::daemon {

/// Kept in `<state_dir>/demoted-plugins`, one line for each: a person may take lines out.
/// Thread: one.
class demotions {
 public:
  /// Reads what is there; without a `state_dir` nothing outlives the process.
  explicit demotions(const std::string& state_dir);

  void add(const crashed_plugin& who);
  /// Why this version of the plugin is kept out of the core; nullopt: it is not.
  [[nodiscard]] std::optional<std::string> why(const std::string& plugin,
                                               const std::string& version) const;

 private:
  void save() const;

  std::filesystem::path file_;
  std::map<std::pair<std::string, std::string>, std::string> entries_;
};

}  // namespace oarlock::daemon
