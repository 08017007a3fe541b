#pragma once
#include <map>
#include <string>

#include "measures.hpp"
#include "oarlock/sdk/outside.hpp"
#include "plan.hpp"
#include "sql.hpp"

namespace mysql_cluster {

/// How a cluster's servers are reached: of its Secrets, read anew for each call.
struct access {
  std::string admin_password, replication_password, clone_password;
  std::string ca;                                  ///< PEM, all that are trusted
  std::vector<std::string> other_admin_passwords;  ///< of before or after a change
  std::string change;                              ///< names a change of passwords; empty: none
  struct new_password {
    std::string user, host, password;
  };
  std::vector<new_password> new_passwords;  ///< for that change; all accounts

  [[nodiscard]] sql_target admin_of(const std::string& address) const;
};

/// What is outside of Kubernetes: the servers. Thread: any; it keeps nothing between calls but what
/// monitoring is told.
class servers {
 public:
  explicit servers(const oarlock::sdk::setup& s)
      : reads_(s.reads), log_(s.log), measures_(s.metrics) {}

  /// Asks every member that has an address, the primary after all others: what a replica has and
  /// the primary has not is then really missing there. Secrets that do not exist are generated, for
  /// the plan to make. A member that does not answer is a part of the answer, not an error.
  [[nodiscard]] std::optional<oarlock::sdk::json::value> observe(
      const input& in, std::chrono::milliseconds time_left);
  /// One statement, or few, on one member; done again it changes nothing. Not begun when the lease
  /// does not outlast it.
  void effect(const oarlock::sdk::effect<my_sql_cluster>& what,
              std::chrono::milliseconds time_left);

 private:
  void tell(const input& in, const oarlock::sdk::json::value& answer) const;

  oarlock::sdk::live_reader reads_;
  oarlock::sdk::logger log_;
  measures measures_;
};

/// The mark of accounts that accept the old passwords of a change no more.
[[nodiscard]] std::string ended(const std::string& change);
/// Of the accounts that are there, by user: the mark of the change of passwords that each had last.
[[nodiscard]] std::map<std::string, std::string> changes_of(sql_session& server, const access& with,
                                                            sql_time deadline);

/// What one server says, as view_of() reads it; its values of `variables`, too. Throws sql_error.
[[nodiscard]] oarlock::sdk::json::value ask(sql_session& server, const settings& variables,
                                            sql_time deadline);

/// Does the effect `name` of names.hpp on `server`. Throws sql_error and retry_error.
struct order {
  std::string what;  ///< as effect_name() says
  std::string text;
  int number = 0;
  std::string member;                         ///< the pod, for messages
  std::string database, owner, app_password;  ///< of ensure-app
};
void carry_out(const order& o, const sql_target& server, const access& with, sql_time deadline);

}  // namespace mysql_cluster
