#pragma once
#include "oarlock/k8s/core/v1.hpp"
#include "plan.hpp"

namespace mysql_cluster {

/// Everything that Kubernetes keeps for the cluster but its Secrets: my.cnf, Services, the
/// disruption budget, and the pods with their volumes, `size` of them. `restores`: they load the
/// backup of spec.bootstrap before they serve.
void apply_children(const input& in, const view& v, int size, bool restores, output& out);

/// A Secret of the cluster, with what observe() has sealed for it, {"<key>": "<text>"}.
[[nodiscard]] oarlock::k8s::core::v1::secret secret_of(const input& in, const std::string& name,
                                                       oarlock::sdk::json::node sealed);

/// Secrets that are missing, of what observe() has generated for them.
void create_secrets(const input& in, output& out);

/// Variables that are set while servers run, with the values that they shall have: those of
/// spec.config, and the defaults of those that were in my.cnf before.
[[nodiscard]] settings dynamic_settings(const input& in);

}  // namespace mysql_cluster
