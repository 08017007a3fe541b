#pragma once
// `oarlock run`: one plugin, here, against the current kubeconfig.
#include <filesystem>
#include <string>
#include <vector>

namespace oarlock::cli {

struct run_options {
  std::filesystem::path plugin;    ///< its library or folder
  std::string kubeconfig;          ///< empty: what kubectl would take
  std::string ns;                  ///< empty: all
  std::vector<std::string> flags;  ///< of oarlockd, after those that this sets
};

/// Runs oarlockd, which is beside this program or in PATH, until it ends, and returns its exit
/// code. Its log goes to standard output, for people. When the plugin's library or plugin.yaml has
/// been written anew and can be loaded, the daemon takes it over. SIGINT, SIGTERM and SIGHUP stop
/// the daemon; if this process is killed, the kernel does.
[[nodiscard]] int run_plugin(const run_options& options);

}  // namespace oarlock::cli
