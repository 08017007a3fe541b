// The accounts of a cluster on its servers: how the operator's is used, and marks of changes.
#include "names.hpp"
#include "servers.hpp"

namespace mysql_cluster {

sql_target access::admin_of(const std::string& address) const {
  return {address, admin_port, admin_user, admin_password, ca, other_admin_passwords};
}

std::string ended(const std::string& change) {
  return change + "/ended";
}

std::map<std::string, std::string> changes_of(sql_session& server, const access& with,
                                              sql_time deadline) {
  std::string list;
  for (const auto& one : with.new_passwords) {
    list += (list.empty() ? "(" : ", (") + sql_quoted(one.user) + ", " + sql_quoted(one.host) + ")";
  }
  std::map<std::string, std::string> made;
  if (list.empty()) return made;
  for (const auto& row :
       server.query("SELECT USER, JSON_UNQUOTE(JSON_EXTRACT(ATTRIBUTE, '$.passwords')) FROM "
                    "information_schema.USER_ATTRIBUTES WHERE (USER, HOST) IN (" +
                        list + ")",
                    deadline)) {
    made[row.at(0).value_or("")] = row.at(1).value_or("");
  }
  return made;
}

}  // namespace mysql_cluster
