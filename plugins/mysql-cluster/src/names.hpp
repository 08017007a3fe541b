#pragma once
// Names of what belongs to a cluster, and of what an effect is told. Shared by the plan and by what
// reaches the servers.
#include <string>
#include <string_view>

namespace mysql_cluster {

inline constexpr const char* cluster_label = "mysql.oarlock.dev/cluster";
inline constexpr const char* role_label = "mysql.oarlock.dev/role";
/// Of Jobs of a backup and their pods: the MySQLBackup, and the MySQLCluster that is dumped.
inline constexpr const char* backup_label = "mysql.oarlock.dev/backup";
inline constexpr const char* backup_of_label = "mysql.oarlock.dev/backup-of";
/// Of a pod that loads a backup before it serves: the backup's name.
inline constexpr const char* restore_annotation = "mysql.oarlock.dev/restores";
inline constexpr const char* switchover_annotation = "mysql.oarlock.dev/switchover";
/// Another text in it asks for new passwords.
inline constexpr const char* passwords_annotation = "mysql.oarlock.dev/new-passwords";
/// Of the application's account once it has its rights.
inline constexpr const char* app_attribute = R"({"oarlock": "owner"})";
/// Of an event that came by replication and does not run; of MySQL before 9, the second.
inline constexpr const char* replicated_events =
    "STATUS IN ('REPLICA_SIDE_DISABLED', 'SLAVESIDE_DISABLED')";
/// The reason of an effect that failed because a server does not take a value.
inline constexpr std::string_view setting_refused = "SettingRefused";
inline constexpr int mysql_port = 3306;
/// Of the administrative interface: open when max_connections is used up.
inline constexpr int admin_port = 33062;

inline constexpr const char* admin_user = "oarlock_admin";
inline constexpr const char* replication_user = "oarlock_replication";
inline constexpr const char* clone_user = "oarlock_clone";
inline constexpr const char* monitor_user = "oarlock_monitor";
inline constexpr const char* backup_user = "oarlock_backup";

/// The accounts of every cluster beside the application's: their keys in the Secret NAME-accounts.
struct account {
  const char* key;
  const char* user;
  const char* host;
};
inline constexpr account accounts[] = {
    {"root", "root", "localhost"},          {"admin", admin_user, "%"},
    {"replication", replication_user, "%"}, {"clone", clone_user, "%"},
    {"monitor", monitor_user, "%"},         {"backup", backup_user, "%"}};

[[nodiscard]] inline std::string accounts_secret(std::string_view cluster) {
  return std::string(cluster) + "-accounts";
}
[[nodiscard]] inline std::string tls_secret(std::string_view cluster) {
  return std::string(cluster) + "-tls";
}
/// The CA that signs that certificate, and its key: for nobody but the operator.
[[nodiscard]] inline std::string ca_secret(std::string_view cluster) {
  return std::string(cluster) + "-ca";
}
[[nodiscard]] inline std::string app_secret(std::string_view cluster) {
  return std::string(cluster) + "-app";
}
[[nodiscard]] inline std::string pod_name(std::string_view cluster, int ordinal) {
  return std::string(cluster) + "-" + std::to_string(ordinal);
}

}  // namespace mysql_cluster
