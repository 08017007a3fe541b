// The plugin: two controllers. Clusters are decided about in decide.cpp, with the servers in
// servers.hpp; backups in backup.cpp.
#include "backup.hpp"
#include "servers.hpp"

namespace {

using clusters =
    oarlock::sdk::planner_with<"mysqlcluster", mysql_cluster::plan, mysql_cluster::servers>;
using backups = oarlock::sdk::planner<"mysqlbackup", mysql_cluster::plan_backup>;

}  // namespace

OARLOCK_PLUGIN("mysql-cluster", "0.1.0", clusters, backups)
