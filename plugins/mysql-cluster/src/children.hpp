#pragma once
#include "plan.hpp"

namespace mysql_cluster {

/// Everything that Kubernetes keeps for the cluster but its Secrets: my.cnf, Services, the
/// disruption budget, and the pods with their volumes, `size` of them. `restores`: they load the
/// backup of spec.bootstrap before they serve.
void apply_children(const my_sql_cluster& cluster, int size, bool restores, output& out);

/// Secrets that are missing, of what observe() has generated for them.
void create_secrets(const input& in, output& out);

/// my.cnf of the members. Pure text; what every member has a value of its own for, the image's
/// entrypoint adds.
[[nodiscard]] std::string my_cnf(const my_sql_cluster& cluster);

}  // namespace mysql_cluster
