#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

#include "names.hpp"
#include "secrets.hpp"
#include "servers.hpp"
#include "settings.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;
using namespace std::chrono_literals;

namespace {

// Writes must stop within this, or go on: nobody can write meanwhile.
constexpr auto close_time = 8s;
// A clone that is refused is refused at once.
constexpr auto clone_refusal_time = 2s;
constexpr int restart_failed = 3707;  // the copy is there, and a supervisor has to start the server

struct work {
  const order& o;
  const sql_target& to;
  const access& with;
  sql_time deadline;
  sql_session server;

  void run(const std::string& statement) { server.query(statement, deadline); }
  std::string value(const std::string& statement) { return server.value(statement, deadline); }
};

int number_of(const std::string& text) {
  int made = 0;
  std::from_chars(text.data(), text.data() + text.size(), made);
  return made;
}

void stop_receiver(work& w) {
  w.run("STOP REPLICA IO_THREAD FOR CHANNEL ''");
}

void catch_up(work& w) {
  const bool is_replica =
      !w.value(
            "SELECT HOST FROM performance_schema.replication_connection_configuration "
            "WHERE CHANNEL_NAME=''")
           .empty();
  if (is_replica) w.run("START REPLICA SQL_THREAD FOR CHANNEL ''");
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(w.deadline - sql_clock()) - 2s;
  const auto late = w.value("SELECT WAIT_FOR_EXECUTED_GTID_SET(" + sql_quoted(w.o.text) + ", " +
                            std::to_string(std::max<std::int64_t>(1, left.count())) + ")");
  if (late != "0") {
    throw sdk::retry_error("CatchUpTimeout", "it has not executed all of " + w.o.text + " yet");
  }
}

void promote(work& w) {
  w.run("STOP REPLICA FOR CHANNEL ''");
  w.run("RESET REPLICA ALL FOR CHANNEL ''");
}

std::string credentials(const access& with) {
  return "USER=" + sql_quoted(replication_user) +
         " PASSWORD=" + sql_quoted(with.replication_password);
}

void follow(work& w) {
  const auto source = w.value(
      "SELECT HOST FROM performance_schema.replication_connection_configuration "
      "WHERE CHANNEL_NAME=''");
  if (!source.empty()) w.run("STOP REPLICA FOR CHANNEL ''");
  // The password is not kept by the server: after a start it is told to replicate anyway.
  w.run("SET GLOBAL rpl_semi_sync_source_enabled=OFF, GLOBAL rpl_semi_sync_replica_enabled=ON");
  if (source != w.o.text) {
    w.run("CHANGE REPLICATION SOURCE TO SOURCE_HOST=" + sql_quoted(w.o.text) + ", SOURCE_PORT=" +
          std::to_string(mysql_port) + ", SOURCE_USER=" + sql_quoted(replication_user) +
          ", SOURCE_AUTO_POSITION=1, SOURCE_SSL=1, SOURCE_SSL_CA='/etc/oarlock-mysql/tls/ca.crt', "
          "SOURCE_HEARTBEAT_PERIOD=2, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=0 "
          "FOR CHANNEL ''");
  }
  w.run("START REPLICA " + credentials(w.with) + " FOR CHANNEL ''");
}

// What it has received stays: only how it connects is another.
void tell_password(work& w) {
  w.run("STOP REPLICA IO_THREAD FOR CHANNEL ''");
  w.run("START REPLICA IO_THREAD " + credentials(w.with) + " FOR CHANNEL ''");
}

void arm(work& w) {
  if (w.o.number == 0) return w.run("SET GLOBAL rpl_semi_sync_source_enabled=OFF");
  w.run(
      "SET GLOBAL rpl_semi_sync_source_timeout=4294967295, "
      "GLOBAL rpl_semi_sync_source_wait_no_replica=ON, "
      "GLOBAL rpl_semi_sync_source_wait_point=AFTER_SYNC, "
      "GLOBAL rpl_semi_sync_source_wait_for_replica_count=" +
      std::to_string(w.o.number));
  w.run("SET GLOBAL rpl_semi_sync_source_enabled=ON");
}

void open(work& w) {
  if (w.o.number > 0) {
    const auto clients = w.value(
        "SELECT VARIABLE_VALUE FROM performance_schema.global_status "
        "WHERE VARIABLE_NAME='Rpl_semi_sync_source_clients'");
    const bool is_armed = w.value("SELECT @@global.rpl_semi_sync_source_enabled") == "1";
    if (!is_armed || number_of(clients) < w.o.number) {
      throw sdk::retry_error("NotEnoughReplicas", "expected " + std::to_string(w.o.number) +
                                                      " replicas that acknowledge, found " +
                                                      clients);
    }
  }
  w.run("SET GLOBAL super_read_only=OFF, GLOBAL read_only=OFF");
}

// Whatever comes of it, afterwards it either takes writes as before, or none.
void close(work& w) {
  const auto id = w.value("SELECT CONNECTION_ID()");
  const auto limit = std::min(w.deadline - 3s, sql_clock() + close_time);
  try {
    w.server.query("SET GLOBAL super_read_only=ON", limit);
  } catch (const sql_error& e) {
    sql_session again(w.to, w.deadline);
    try {
      again.query("KILL " + id, w.deadline);
    } catch (const sql_error&) {  // it has ended already
    }
    again.query("SET GLOBAL super_read_only=OFF, GLOBAL read_only=OFF", w.deadline);
    throw sdk::retry_error(
        "StillWriting",
        std::string("commits or locks keep it from becoming read-only: ") + e.what());
  }
}

void clone(work& w) {
  const std::string donor = w.o.text + ":" + std::to_string(mysql_port);
  w.run("SET GLOBAL clone_valid_donor_list=" + sql_quoted(donor));
  const bool is_replica =
      !w.value(
            "SELECT HOST FROM performance_schema.replication_connection_configuration "
            "WHERE CHANNEL_NAME=''")
           .empty();
  if (is_replica) w.run("STOP REPLICA FOR CHANNEL ''");
  // Cloning is a write.
  w.run("SET GLOBAL super_read_only=OFF");
  try {
    w.server.send("CLONE INSTANCE FROM " + sql_quoted(clone_user) + "@" + sql_quoted(w.o.text) +
                      ":" + std::to_string(mysql_port) + " IDENTIFIED BY " +
                      sql_quoted(w.with.clone_password) + " REQUIRE SSL",
                  std::min(w.deadline, sql_clock() + clone_refusal_time));
  } catch (const sql_error& e) {
    if (e.code() != 0 && e.code() != restart_failed) throw;
  }
}

// Without its definer an event would run as this account.
void alter_events(work& w) {
  const auto wanted = settings_in(w.o.text);
  const auto rows = w.server.query(
      std::string(
          "SELECT EVENT_SCHEMA, EVENT_NAME, DEFINER FROM information_schema.EVENTS WHERE ") +
          replicated_events,
      w.deadline);
  for (const auto& row : rows) {
    const auto name = sql_name(row.at(0).value_or("")) + "." + sql_name(row.at(1).value_or(""));
    const auto what = wanted.find(name);
    const auto definer = row.at(2).value_or("");
    const auto at = definer.rfind('@');
    if (what == wanted.end() || at == std::string::npos) continue;
    w.run("ALTER DEFINER=" + sql_quoted(definer.substr(0, at)) + "@" +
          sql_quoted(definer.substr(at + 1)) + " EVENT " + name +
          (what->second == "ENABLE" ? " ENABLE" : " DISABLE"));
  }
}

// All or nothing, as one statement. Some servers cut a value to what they take, with a warning
// only.
void configure(work& w) {
  std::string statement;
  const auto wanted = settings_in(w.o.text);
  for (const auto& [key, value] : wanted) {
    if (dynamic_default(key).empty()) {
      throw sdk::terminal_error("UnknownSetting",
                                "expected a variable that can be set, found " + key);
    }
    const auto plain = plain_value(value);
    const bool is_number = plain.find_first_not_of("0123456789.") == std::string::npos;
    statement += (statement.empty() ? "SET GLOBAL " : ", GLOBAL ") + key + "=" +
                 (is_number && !plain.empty() ? plain : sql_quoted(plain));
  }
  const auto refused = [&](const std::string& why) {
    throw sdk::retry_error(std::string(setting_refused), w.o.member + ": " + why);
  };
  try {
    w.run(statement);
  } catch (const sql_error& e) {
    if (e.code() == 0) throw;  // no answer, and not the server's own
    refused(std::to_string(e.code()) + ": " + e.what());
  }
  for (const auto& [key, value] : wanted) {
    const auto found = w.value("SELECT @@global." + key);
    if (!is_same_value(found, value)) {
      refused(key + " is " + found + " after it was set to " + value);
    }
  }
}

void ensure_app(work& w) {
  const std::string account = sql_quoted(w.o.owner) + "@'%'";
  w.run("CREATE USER IF NOT EXISTS " + account + " IDENTIFIED BY " + sql_quoted(w.o.app_password));
  w.run("GRANT ALL ON `" + w.o.database + "`.* TO " + account);
  w.run("CREATE DATABASE IF NOT EXISTS `" + w.o.database + "`");
  // Seen by observe(): a database alone may be that of a backup, which has no accounts.
  w.run("ALTER USER " + account + " ATTRIBUTE " + sql_quoted(app_attribute));
}

// The accounts that are there and have such a mark. Two statements at once would lose an old
// password: the next one waits for what a process that has died has begun.
std::vector<access::new_password> accounts_where(
    work& w, const std::function<bool(const std::string&)>& is_wanted) {
  if (w.with.change.empty()) throw sdk::retry_error("NoChange", "no passwords are changed now");
  if (w.value("SELECT GET_LOCK('oarlock.passwords', 0)") != "1") {
    throw sdk::retry_error("StillChanging", w.o.member + ": an earlier statement is not over");
  }
  const auto changes = changes_of(w.server, w.with, w.deadline);
  std::vector<access::new_password> made;
  for (const auto& one : w.with.new_passwords) {
    const auto found = changes.find(one.user);
    if (found != changes.end() && is_wanted(found->second)) made.push_back(one);
  }
  return made;
}

std::string alter(const access::new_password& account, const std::string& how,
                  const std::string& mark) {
  return "ALTER USER " + sql_quoted(account.user) + "@" + sql_quoted(account.host) + " " + how +
         " ATTRIBUTE " + sql_quoted(R"({"passwords": ")" + mark + R"("})");
}

// The mark comes with the password, in one transaction: done again it would lose the old one.
void renew_passwords(work& w) {
  const auto& change = w.with.change;
  const auto is_old = [&](const auto& mark) { return mark != change && mark != ended(change); };
  for (const auto& one : accounts_where(w, is_old)) {
    w.run(alter(one, "IDENTIFIED BY " + sql_quoted(one.password) + " RETAIN CURRENT PASSWORD",
                change));
  }
}

void discard_passwords(work& w) {
  const auto& change = w.with.change;
  for (const auto& one : accounts_where(w, [&](const auto& mark) { return mark == change; }))
    w.run(alter(one, "DISCARD OLD PASSWORD", ended(change)));
}

// A server goes on with what it has when it cannot use what is in its files.
void reload_tls(work& w) {
  w.run("ALTER INSTANCE RELOAD TLS");
}

using step_function = void (*)(work&);

step_function function_of(std::string_view what) {
  static const std::map<std::string_view, step_function> all = {
      {"stop-receiver", stop_receiver},
      {"catch-up", catch_up},
      {"promote", promote},
      {"follow", follow},
      {"arm", arm},
      {"open", open},
      {"close", close},
      {"clone", clone},
      {"alter-events", alter_events},
      {"configure", configure},
      {"ensure-app", ensure_app},
      {"renew-passwords", renew_passwords},
      {"tell-password", tell_password},
      {"discard-passwords", discard_passwords},
      {"reload-tls", reload_tls}};
  const auto found = all.find(what);
  if (found == all.end()) {
    throw sdk::terminal_error("UnknownEffect", "no effect " + std::string(what));
  }
  return found->second;
}

}  // namespace

void carry_out(const order& o, const sql_target& server, const access& with, sql_time deadline) {
  const auto function = function_of(o.what);
  work w{o, server, with, deadline, sql_session(server, std::min(deadline, sql_clock() + 3s))};
  function(w);
}

void servers::effect(const sdk::effect<my_sql_cluster>& what, std::chrono::milliseconds time_left) {
  const std::string name(what.name());
  const auto payload = what.payload();
  order o;
  o.what = std::string(what.what().substr(0, what.what().find('.')));
  o.text = payload["text"].text();
  o.member = payload["member"].text();
  o.number = static_cast<int>(payload["number"].integer());
  const auto now = sql_clock();
  // What is not over when the lease may end must be harmless beside what the next leader does.
  const auto deadline = std::min(now + time_left - 500ms, what.lease_valid_until() - 500ms);
  if (deadline < now + 1s) {
    throw sdk::retry_error("LeaseEnds", "the lease does not outlast this step");
  }
  access with;
  if (!read_secrets(reads_, what.primary(), with)) {
    throw sdk::retry_error("SecretMissing", "expected the Secrets " + accounts_secret(name) + ", " +
                                                tls_secret_of(what.primary()) + " and " +
                                                app_secret(name));
  }
  if (o.what == "ensure-app") {
    o.database = *what.primary().spec->bootstrap->database;
    o.owner = *what.primary().spec->bootstrap->owner;
    const auto app = reads_.get("secrets", app_secret(name));
    if (!app) throw sdk::retry_error("SecretMissing", app_secret(name));
    o.app_password = secret_value(json::node(&*app), "password");
  }
  const sql_target to = with.admin_of(std::string(payload["address"].text()));
  try {
    carry_out(o, to, with, deadline);
    measures_.count(what.ns(), name, o.what, true);
  } catch (const sql_error& e) {
    measures_.count(what.ns(), name, o.what, false);
    throw sdk::retry_error("StatementFailed",
                           std::string(payload["member"].text()) + ": " +
                               (e.code() != 0 ? std::to_string(e.code()) + ": " : "") + e.what());
  } catch (const sdk::retry_error&) {
    measures_.count(what.ns(), name, o.what, false);
    throw;
  }
}

}  // namespace mysql_cluster
