#pragma once
// `oarlock plugin manifest`: what a person applies before a plugin may work.
#include <filesystem>
#include <string>

#include "core/base/result.hpp"

namespace oarlock::cli {

/// Whose rights the plugin acts with: the daemon's, or those of a ServiceAccount of its own.
enum class plugin_identity { service_account, daemon };

struct manifest_options {
  plugin_identity identity = plugin_identity::service_account;
  /// Where the plugin's ServiceAccount is.
  std::string ns = "oarlock-system";
  /// A daemon with --namespace: namespaced kinds are granted in that one only. Empty: everywhere.
  std::string scope_ns;
  /// Who the daemon is: "[NAMESPACE/]NAME" of its ServiceAccount (in `ns` unless it says another).
  std::string daemon_service_account = "oarlock";
  /// The daemon as a user instead, by the name in its client certificate; empty: it is not one.
  std::string daemon_user;
};

/// The plugin's CRDs, its ServiceAccount, Roles and bindings for it and for the daemon, as YAML
/// documents for `kubectl apply -f -`. `path` is the plugin's folder, plugin.yaml or library. The
/// same input gives the same bytes. Runs none of its code.
[[nodiscard]] result<std::string> plugin_manifest(const std::filesystem::path& path,
                                                  const manifest_options& options);

}  // namespace oarlock::cli
