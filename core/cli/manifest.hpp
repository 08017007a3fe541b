#pragma once
// `oarlock plugin manifest`: what a person applies before a plugin may work.
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/plugin/rbac_yaml.hpp"

namespace oarlock::cli {

using plugin_identity = plugin::rbac_identity;
using manifest_options = plugin::rbac_options;

/// The plugin's CRDs, its ServiceAccount, Roles and bindings for it and for the daemon, as YAML
/// documents for `kubectl apply -f -`. `path` is the plugin's folder, plugin.yaml or library. The
/// same input gives the same bytes. Runs none of its code.
[[nodiscard]] result<std::string> plugin_manifest(const std::filesystem::path& path,
                                                  const manifest_options& options);

/// The Plugin object that makes a daemon run an image.
struct plugin_object_options {
  std::string name;
  std::string image;
  std::string runtime = "oarlock";
  std::string home = "child";
  std::vector<std::string> pull_secrets;
};
[[nodiscard]] std::string plugin_object_yaml(const plugin_object_options& options);

}  // namespace oarlock::cli
