#include <future>

#include "children.hpp"
#include "names.hpp"
#include "oarlock/k8s/core/v1.hpp"
#include "secrets.hpp"
#include "servers.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;
using namespace std::chrono_literals;

namespace {

// One short and two long rounds, and the questions for the primary alone, have to fit into the five
// seconds of observe(); who does not answer the first is not asked the last.
constexpr auto short_answer_time = 800ms;
constexpr auto answer_time = 1300ms;
constexpr const char* timeout_max = "4294967295";  // of rpl_semi_sync_source_timeout, in ms

std::string at(const sql_row& row, std::size_t i) {
  return i < row.size() ? row[i].value_or("") : std::string();
}

std::int64_t number(const std::string& text) {
  std::int64_t made = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') break;
    made = made * 10 + (c - '0');
  }
  return made;
}

json::value ask_replication(sql_session& server, sql_time deadline, std::string& received) {
  json::value made = json::object({});
  const auto set = server.query(
      "SELECT HOST FROM performance_schema.replication_connection_configuration "
      "WHERE CHANNEL_NAME=''",
      deadline);
  if (set.empty() || at(set.front(), 0).empty()) return made;
  made.set("source", at(set.front(), 0));
  const auto receiver = server.query(
      "SELECT SERVICE_STATE, LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE, RECEIVED_TRANSACTION_SET "
      "FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME=''",
      deadline);
  if (!receiver.empty()) {
    made.set("receiver", at(receiver.front(), 0));
    if (at(receiver.front(), 1) == std::to_string(access_denied)) made.set("isDenied", true);
    if (at(receiver.front(), 1) != "0") made.set("receiverError", at(receiver.front(), 2));
    received = at(receiver.front(), 3);
  }
  made.set("applier", server.value("SELECT SERVICE_STATE FROM "
                                   "performance_schema.replication_applier_status "
                                   "WHERE CHANNEL_NAME=''",
                                   deadline));
  // What is being executed, and since when it is committed where it comes from.
  made.set("lagMs", number(server.value(
                        "SELECT MAX(TIMESTAMPDIFF(MICROSECOND, "
                        "APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, NOW(6)) DIV 1000) FROM "
                        "performance_schema.replication_applier_status_by_worker "
                        "WHERE CHANNEL_NAME='' AND APPLYING_TRANSACTION LIKE '%:%'",
                        deadline)));
  const auto error = server.value(
      "SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker "
      "WHERE CHANNEL_NAME='' AND LAST_ERROR_NUMBER<>0 UNION ALL SELECT LAST_ERROR_MESSAGE FROM "
      "performance_schema.replication_applier_status_by_coordinator "
      "WHERE CHANNEL_NAME='' AND LAST_ERROR_NUMBER<>0 LIMIT 1",
      deadline);
  if (!error.empty()) made.set("applierError", error);
  return made;
}

json::value ask_clone(sql_session& server, sql_time deadline) {
  json::value made = json::object({});
  const auto said = server.query(
      "SELECT STATE, ERROR_NO, ERROR_MESSAGE, TIMESTAMPDIFF(SECOND, END_TIME, NOW(3)) "
      "FROM performance_schema.clone_status",
      deadline);
  if (said.empty()) return made;
  const auto& row = said.front();
  made.set("state", at(row, 0));
  made.set("endedMsAgo", number(at(row, 3)) * 1000);
  if (at(row, 1) != "0") made.set("error", at(row, 1) + ": " + at(row, 2));
  const auto percent = server.value(
      "SELECT FLOOR(100*SUM(DATA)/NULLIF(SUM(ESTIMATE),0)) FROM performance_schema.clone_progress",
      deadline);
  made.set("percent", number(percent));
  return made;
}

json::items ask_variables(sql_session& server, const settings& variables, sql_time deadline) {
  std::string names;
  for (const auto& [key, value] : variables)
    names += (names.empty() ? "" : ",") + sql_quoted(key);
  json::items made;
  for (const auto& row :
       server.query("SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.global_variables "
                    "WHERE VARIABLE_NAME IN (" +
                        names + ")",
                    deadline)) {
    made.push_back(json::object({{"name", at(row, 0)}, {"value", at(row, 1)}}));
  }
  return made;
}

// Of the accounts that are there: an older cluster may have fewer.
void ask_passwords(sql_session& server, const access& with, sql_time deadline, json::value& made) {
  bool has_new = true, only_new = true;
  const auto changes = changes_of(server, with, deadline);
  for (const auto& [user, change] : changes) {
    has_new &= change == with.change || change == ended(with.change);
    only_new &= change == ended(with.change);
  }
  made.set("newPasswords", has_new && !changes.empty());
  made.set("onlyNewPasswords", only_new && !changes.empty());
}

struct asked {
  std::string name, address;
  json::value answer;
};

// Never throws: that there is no answer is one.
json::value ask_member(const std::string& address, const access& with, const settings& variables) {
  const auto deadline = sql_clock() + answer_time;
  try {
    sql_session server(with.admin_of(address), deadline);
    json::value said = ask(server, variables, deadline);
    if (!with.change.empty()) ask_passwords(server, with, deadline, said);
    said.set("reachable", true);
    return said;
  } catch (const std::exception& e) {
    return json::object({{"reachable", false}, {"error", e.what()}});
  }
}

void ask_all(std::vector<asked*> members, const access& with, const settings& variables) {
  std::vector<std::future<json::value>> answers;
  for (const asked* m : members) {
    answers.push_back(std::async(std::launch::async, ask_member, m->address, std::cref(with),
                                 std::cref(variables)));
  }
  for (std::size_t i = 0; i < members.size(); ++i)
    members[i]->answer = answers[i].get();
}

// Empty when it does not answer.
std::string ask_executed(const asked& primary, const access& with) {
  const auto deadline = sql_clock() + short_answer_time;
  try {
    sql_session server(with.admin_of(primary.address), deadline);
    return server.value("SELECT @@global.gtid_executed", deadline);
  } catch (const sql_error&) {
    return {};
  }
}

bool ask_app(sql_session& server, const my_sql_cluster& cluster, sql_time deadline) {
  // The last thing that ensure-app makes.
  return !server
              .value(
                  "SELECT USER FROM information_schema.USER_ATTRIBUTES WHERE HOST='%' AND USER=" +
                      sql_quoted(*cluster.spec->bootstrap->owner) +
                      " AND JSON_CONTAINS(ATTRIBUTE, " + sql_quoted(app_attribute) + ")",
                  deadline)
              .empty();
}

// Names as a statement needs them; not those that no line can hold.
json::value ask_events(sql_session& server, sql_time deadline) {
  json::items disabled, replicated;
  for (const auto& row :
       server.query(std::string("SELECT EVENT_SCHEMA, EVENT_NAME, ") + replicated_events +
                        " FROM information_schema.EVENTS WHERE STATUS='DISABLED' OR " +
                        replicated_events + " ORDER BY 1, 2 LIMIT 1000",
                    deadline)) {
    auto name = sql_name(at(row, 0)) + "." + sql_name(at(row, 1));
    if (name.find_first_of("\n=") != std::string::npos) continue;
    (at(row, 2) == "1" ? replicated : disabled).emplace_back(std::move(name));
  }
  return json::object({{"disabled", std::move(disabled)}, {"replicated", std::move(replicated)}});
}

// What only a primary that takes writes is asked; what it does not answer the next look tells.
void ask_primary(const asked& primary, const my_sql_cluster& cluster, const access& with,
                 json::value& made) {
  const auto deadline = sql_clock() + answer_time;
  made.set("hasApp", true);
  try {
    sql_session server(with.admin_of(primary.address), deadline);
    made.set("hasApp", ask_app(server, cluster, deadline));
    made.set("events", ask_events(server, deadline));
  } catch (const sql_error&) {
  }
}

}  // namespace

json::value ask(sql_session& server, const settings& variables, sql_time deadline) {
  // The sets first: what they say is then at most older than the rest.
  const auto rows = server.query(
      "SELECT @@server_uuid, @@version, @@global.read_only, @@global.super_read_only, "
      "@@global.gtid_executed, @@global.gtid_purged, @@global.rpl_semi_sync_source_enabled, "
      "@@global.rpl_semi_sync_source_timeout, @@global.rpl_semi_sync_source_wait_no_replica, "
      "@@global.rpl_semi_sync_source_wait_point, "
      "@@global.rpl_semi_sync_source_wait_for_replica_count, "
      "@@global.rpl_semi_sync_replica_enabled",
      deadline);
  if (rows.empty() || rows.front().size() != 12) throw sql_error(0, "expected 12 variables");
  const auto& row = rows.front();
  const bool is_strict =
      at(row, 7) == timeout_max && at(row, 8) == "1" && at(row, 9) == "AFTER_SYNC";
  std::string received;
  json::value replication = ask_replication(server, deadline, received);
  json::items set;
  if (!variables.empty()) set = ask_variables(server, variables, deadline);
  return json::object({{"serverUUID", at(row, 0)},
                       {"version", at(row, 1)},
                       {"writable", at(row, 2) == "0" && at(row, 3) == "0"},
                       {"executed", at(row, 4)},
                       {"purged", at(row, 5)},
                       {"received", received},
                       {"variables", std::move(set)},
                       {"replication", std::move(replication)},
                       {"semiSync", json::object({{"source", at(row, 6) == "1"},
                                                  {"strict", is_strict},
                                                  {"waitsFor", number(at(row, 10))},
                                                  {"replica", at(row, 11) == "1"}})},
                       {"certificate", server.certificate().fingerprint},
                       {"certificateEndsUnixMs", server.certificate().ends_unix_ms},
                       {"clone", ask_clone(server, deadline)}});
}

void servers::tell(const input& in, const json::value& answer) const {
  const auto said = json::parse(answer.text());
  measures_.tell(in.ns(), in.name(), measure(in.primary(), json::node(&said)));
}

std::optional<json::value> servers::observe(const input& in, std::chrono::milliseconds /*left*/) {
  json::value made = json::object({});
  access with;
  if (!tend_secrets(reads_, in, with, made)) {
    tell(in, made);
    return made;  // no server can run before these are there
  }
  const std::string primary = in.primary().status->primary.value_or("");
  std::vector<asked> members;
  for (const auto* pod : in.watched<oarlock::k8s::core::v1::pod>()) {
    if (!pod->status->pod_ip) continue;
    members.push_back({pod->metadata->name.value_or(""), *pod->status->pod_ip, {}});
  }
  std::vector<asked*> first, second;
  for (auto& m : members)
    (m.name == primary ? second : first).push_back(&m);
  // Under writes the primary has more than what replicas had when they were asked before it.
  const std::string before = second.empty() ? "" : ask_executed(*second.front(), with);
  const settings variables = dynamic_settings(in);
  ask_all(first, with, variables);
  ask_all(second, with, variables);
  json::items all;
  for (auto& m : members) {
    json::value said = std::move(m.answer);
    said.set("name", m.name);
    if (m.name == primary && !before.empty()) said.set("executedBefore", before);
    const auto* writable = said.find("writable");
    if (m.name == primary && writable != nullptr && *writable == json::value(true)) {
      ask_primary(m, in.primary(), with, made);
    }
    all.push_back(std::move(said));
  }
  made.set("members", std::move(all));
  tell(in, made);
  return made;
}

}  // namespace mysql_cluster
