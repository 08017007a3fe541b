#pragma once
// What a person grants before a plugin may work, as YAML.
#include <string>

#include "core/base/result.hpp"
#include "core/plugin/manifest.hpp"

namespace oarlock::plugin {

/// Whose rights the plugin acts with: the daemon's, or those of a ServiceAccount of its own.
enum class rbac_identity { service_account, daemon };

struct rbac_options {
  rbac_identity identity = rbac_identity::service_account;
  /// Where the plugin's ServiceAccount is.
  std::string ns = "oarlock-system";
  /// A daemon with --namespace: namespaced kinds are granted in that one only. Empty: everywhere.
  std::string scope_ns;
  /// Who the daemon is: "[NAMESPACE/]NAME" of its ServiceAccount (in `ns` unless it says another).
  std::string daemon_service_account = "oarlock";
  /// The daemon as a user instead, by the name in its client certificate; empty: it is not one.
  std::string daemon_user;
};

/// Whether the options can be rendered: names that need no quotes.
[[nodiscard]] result<> check(const rbac_options& options);

/// The ServiceAccount, Roles and bindings for the plugin and for the daemon, as YAML documents for
/// `kubectl apply -f -`. The same input gives the same bytes. `options` have passed check().
[[nodiscard]] std::string rbac_yaml(const manifest& declared, const rbac_options& options);

}  // namespace oarlock::plugin
