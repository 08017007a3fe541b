#pragma once
// What a plugin's manifest comes to in the words of RBAC: the one source for what people grant
// (`oarlock plugin manifest`), what the host lets pass, and what is reviewed before reading. Pure.
#include <string>
#include <vector>

#include "core/plugin/manifest.hpp"

namespace oarlock::plugin {

/// Verbs on one resource. Never a wildcard, never escalate, bind or impersonate.
struct grant {
  std::string group;     ///< empty for the core group
  std::string resource;  ///< a plural, or "myapps/status"
  bool namespaced = true;
  std::vector<std::string> verbs;  ///< in RBAC's customary order: get, list, watch, create, ...

  bool operator==(const grant&) const = default;
};

/// What the plugin's own identity needs: it reads what its manifest names, writes its children, the
/// status of its primaries, its finalizer if it declares one, and events. By group and resource.
[[nodiscard]] std::vector<grant> plugin_grants(const manifest& declared);

/// What whoever watches for the plugin needs: the kinds of its manifest, read only.
[[nodiscard]] std::vector<grant> read_grants(const manifest& declared);

/// "oarlock-plugin-<plugin>": the ServiceAccount that a plugin acts as.
[[nodiscard]] std::string service_account_name(const std::string& plugin);

}  // namespace oarlock::plugin
