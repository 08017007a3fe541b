// The plugin: one controller, whose decisions are in decide.cpp and whose servers in servers.hpp.
#include "servers.hpp"

OARLOCK_PLUGIN(
    "mysql-cluster", "0.1.0",
    oarlock::sdk::planner_with<"mysqlcluster", mysql_cluster::plan, mysql_cluster::servers>)
