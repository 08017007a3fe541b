#pragma once
// `oarlock plugin held`: whether a daemon may go for good, or objects would be left that nobody
// else can let go.
#include <filesystem>
#include <string>
#include <vector>

#include "core/cli/install.hpp"

namespace oarlock::cli {

struct held_options {
  std::string runtime = "oarlock";
  std::string scope_ns;  ///< of a daemon with --namespace; empty: all namespaces
  std::vector<std::filesystem::path> plugins;  ///< that it loads beside those of Plugin objects
};

/// Tells of each plugin of the runtime whose finalizer is on objects; an error if there is one.
[[nodiscard]] result<> check_held(install_cluster& cluster, const held_options& options,
                                  const progress& tell);

}  // namespace oarlock::cli
