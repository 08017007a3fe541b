#pragma once
#include "decide.hpp"
#include "mysql.oarlock.dev/v1alpha1/my_sql_cluster.hpp"
#include "oarlock/sdk/planner.hpp"

namespace mysql_cluster {

using mysql_oarlock_dev::v1alpha1::my_sql_cluster;
using input = oarlock::sdk::input<my_sql_cluster>;
using output = oarlock::sdk::output<my_sql_cluster>;

/// From a MySQLCluster, its pods and what its servers said to what should be: objects, and the next
/// steps towards one primary that takes writes and replicas that have everything. Pure.
void plan(const input& in, output& out);

/// What decide() looks at. Reads the observation as observe.hpp writes it.
[[nodiscard]] view view_of(const input& in);

/// What a server said that did not take a setting; empty: none, or the configuration was changed
/// since.
[[nodiscard]] std::string refusal_of(const input& in);

/// What effect() is called for an action; empty for those that Kubernetes does.
[[nodiscard]] std::string_view effect_name(action what);

}  // namespace mysql_cluster
