#pragma once
#include "plan.hpp"

namespace mysql_cluster {

/// Everything that Kubernetes keeps for the cluster but its Secrets: my.cnf, Services, the
/// disruption budget, and the pods with their volumes, `size` of them. `restores`: they load the
/// backup of spec.bootstrap before they serve.
void apply_children(const input& in, const view& v, int size, bool restores, output& out);

/// Secrets that are missing, of what observe() has generated for them.
void create_secrets(const input& in, output& out);

/// Variables that are set while servers run, with the values that they shall have: those of
/// spec.config, and the defaults of those that were in my.cnf before.
[[nodiscard]] settings dynamic_settings(const input& in);

}  // namespace mysql_cluster
