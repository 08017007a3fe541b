#pragma once
#include "mysql.oarlock.dev/v1alpha1/my_sql_backup.hpp"
#include "oarlock/sdk/planner.hpp"

namespace mysql_cluster {

using mysql_oarlock_dev::v1alpha1::my_sql_backup;
using backup_input = oarlock::sdk::input<my_sql_backup>;
using backup_output = oarlock::sdk::output<my_sql_backup>;

/// From a MySQLBackup to the one Job that takes it, and to what came of that. What has ended stays
/// as it is, whatever becomes of Job, cluster and claim. Pure.
void plan_backup(const backup_input& in, backup_output& out);

}  // namespace mysql_cluster
