#pragma once
// `oarlock plugin install` and `uninstall`: what `plugin manifest` prints, applied, and waited for.
#include <rapidjson/document.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "core/cli/install_cluster.hpp"
#include "core/cli/manifest.hpp"

namespace oarlock::cli {

struct install_options {
  manifest_options granted;
  plugin_object_options object;
  bool adopt_crds = false;  ///< take CRDs over that somebody else manages
  std::chrono::seconds timeout{120};
};
struct uninstall_options {
  std::string name;
  std::string ns = "oarlock-system";  ///< of its ServiceAccount
  bool delete_crds = false;           ///< and with them every object of these kinds
  std::chrono::seconds timeout{120};
};

/// Is told each line of progress.
using progress = std::function<void(const std::string&)>;

/// Applies everything of the image that lies unpacked in `folder`, and waits until its plugin is
/// Ready. A CRD is refused if somebody else manages it (unless adopted), or if it would drop a
/// version in which objects are stored.
[[nodiscard]] result<> install_plugin(install_cluster& cluster, const std::filesystem::path& folder,
                                      install_options options, const progress& tell);

/// Deletes the Plugin, waits until the daemon has let it go, and deletes what install_plugin()
/// applied for it.
[[nodiscard]] result<> uninstall_plugin(install_cluster& cluster, const uninstall_options& options,
                                        const progress& tell);

/// Why `wanted` may not replace the CRD `live` when plugin `name` is installed; empty: it may.
[[nodiscard]] std::string crd_refusal(const std::string& name, const rapidjson::Value& wanted,
                                      const rapidjson::Value& live, bool adopt);

}  // namespace oarlock::cli
