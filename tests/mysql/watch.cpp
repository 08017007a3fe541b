#include "tests/mysql/watch.hpp"

#include <rapidjson/document.h>
#include <rapidjson/pointer.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <stdexcept>

#include "plugins/mysql-cluster/src/names.hpp"

namespace mysql_cluster::testing {

using namespace std::chrono_literals;

namespace {

constexpr auto ask_time = 3s;
constexpr auto look_period = 1s;
constexpr auto first_look_limit = 60s;

std::string text(const rapidjson::Value& in, const char* pointer) {
  const auto* found = rapidjson::Pointer(pointer).Get(in);
  return found != nullptr && found->IsString() ? found->GetString() : "";
}

std::int64_t number(const rapidjson::Value& in, const char* pointer) {
  const auto* found = rapidjson::Pointer(pointer).Get(in);
  return found != nullptr && found->IsInt64() ? found->GetInt64() : 0;
}

/// 0 for a text that begins with no number.
std::int64_t number_of(const std::string& digits) {
  std::int64_t made = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), made);
  return made;
}

std::string secret_field(const watched& w, const std::string& secret, const std::string& key) {
  return w.kube
      .kubectl({"get", "secret", secret, "-n", w.ns, "--ignore-not-found", "-o",
                "go-template={{with index .data \"" + key + "\"}}{{base64decode .}}{{end}}"})
      .out;
}

struct record {
  std::string primary;
  std::int64_t epoch = 0;
  int acks = 0, replicas = 0;
  std::set<std::string> quarantined;
  bool operator==(const record&) const = default;
};

record record_of(const watched& w) {
  rapidjson::Document said;
  // Where the API server does not answer there is none.
  said.Parse(w.kube.kubectl({"get", "mysqlcluster", w.name, "-n", w.ns, "-o", "json"}).out.c_str());
  record made;
  if (said.HasParseError()) return made;
  made.primary = text(said, "/status/primary");
  made.epoch = number(said, "/status/epoch");
  made.acks = static_cast<int>(number(said, "/status/acknowledgements"));
  made.replicas = static_cast<int>(number(said, "/status/replicaCount"));
  const auto* list = rapidjson::Pointer("/status/quarantined").Get(said);
  if (list != nullptr && list->IsArray()) {
    for (const auto& name : list->GetArray())
      made.quarantined.insert(name.GetString());
  }
  return made;
}

// A server that clones is read_only and not super_read_only: the operator's account may write
// there, an application's may not.
constexpr const char* question =
    "SELECT @@server_uuid, NOT @@global.read_only, @@global.gtid_executed, "
    "@@global.gtid_purged, @@global.rpl_semi_sync_source_enabled, "
    "@@global.rpl_semi_sync_source_wait_for_replica_count, "
    "(SELECT VARIABLE_VALUE FROM performance_schema.global_status "
    "WHERE VARIABLE_NAME='Rpl_semi_sync_source_clients'), "
    "(SELECT VARIABLE_VALUE FROM performance_schema.global_status "
    "WHERE VARIABLE_NAME='Rpl_semi_sync_source_no_tx'), "
    "UNIX_TIMESTAMP() - CAST((SELECT VARIABLE_VALUE FROM performance_schema.global_status "
    "WHERE VARIABLE_NAME='Uptime') AS SIGNED), "
    "(SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status "
    "WHERE CHANNEL_NAME=''), "
    "(SELECT COUNT(*) FROM performance_schema.replication_connection_status c "
    "JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME) "
    "WHERE CHANNEL_NAME='' AND c.SERVICE_STATE='ON' AND a.SERVICE_STATE='ON')";

std::optional<server_state> ask(const std::string& name, const sql_target& to) {
  try {
    const auto deadline = sql_session::now() + ask_time;
    sql_session server(to, deadline);
    const auto rows = server.query(question, deadline);
    const auto at = [&](std::size_t i) { return rows.at(0).at(i).value_or(""); };
    server_state made;
    made.name = name;
    made.server = at(0);
    made.is_writable = at(1) == "1";
    made.executed = at(2);
    made.purged = at(3);
    made.source_on = at(4) == "1";
    made.waits_for = static_cast<int>(number_of(at(5)));
    made.attached = static_cast<int>(number_of(at(6)));
    made.unacknowledged = number_of(at(7));
    // Two seconds may be one and the same start, rounded.
    made.started = (number_of(at(8)) + 2) / 4;
    made.received = at(9);
    made.replicates = at(10) == "1";
    return made;
  } catch (const sql_error&) {
    return std::nullopt;
  }
}

struct pod {
  std::string name, address, role;
};

std::vector<pod> pods_of(const watched& w) {
  rapidjson::Document said;
  said.Parse(w.kube
                 .kubectl({"get", "pods", "-n", w.ns, "-l",
                           std::string(cluster_label) + "=" + w.name, "-o", "json"})
                 .out.c_str());
  std::vector<pod> made;
  const auto* items = said.HasParseError() ? nullptr : rapidjson::Pointer("/items").Get(said);
  if (items == nullptr) return made;
  for (const auto& item : items->GetArray()) {
    made.push_back({text(item, "/metadata/name"), text(item, "/status/podIP"),
                    text(item, "/metadata/labels/mysql.oarlock.dev~1role")});
  }
  return made;
}

}  // namespace

sql_target admin_of(const watched& w) {
  return {"", admin_port, admin_user, secret_field(w, accounts_secret(w.name), "admin"),
          secret_field(w, tls_secret(w.name), "ca.crt")};
}

sql_target application_of(const watched& w) {
  const auto secret = app_secret(w.name);
  return {"", mysql_port, secret_field(w, secret, "user"), secret_field(w, secret, "password"),
          secret_field(w, secret, "ca.crt")};
}

std::optional<look> look_at(const watched& w, const sql_target& admin) {
  const record before = record_of(w);
  if (before.primary.empty()) return std::nullopt;
  auto pods = pods_of(w);
  std::ranges::stable_partition(pods, [&](const pod& p) { return p.name != before.primary; });
  look made{before.primary, before.epoch, before.acks, before.replicas, {}};
  for (const auto& p : pods) {
    if (p.address.empty()) continue;
    auto to = admin;
    to.address = p.address;
    auto said = ask(p.name, to);
    if (!said) continue;
    said->role = p.role;
    said->is_quarantined = before.quarantined.contains(p.name);
    made.servers.push_back(std::move(*said));
  }
  if (record_of(w) != before) return std::nullopt;
  return made;
}

std::set<std::int64_t> rows_of(const sql_target& server, const std::string& database) {
  const auto deadline = sql_session::now() + 10s;
  sql_session session(server, deadline);
  std::set<std::int64_t> made;
  for (const auto& row : session.query("SELECT id FROM `" + database + "`.writes", deadline))
    made.insert(number_of(row.at(0).value_or("")));
  return made;
}

watcher::watcher(watched w) : watched_(std::move(w)) {
  auto admin = admin_of(watched_);
  const bool is_seen = oarlock::testing::eventually(
      [&] {
        auto seen = look_at(watched_, admin);
        if (seen) looks_.push_back(std::move(*seen));
        return !looks_.empty();
      },
      first_look_limit);
  if (!is_seen) throw std::runtime_error("no look at " + watched_.name + " within a minute");
  thread_ = std::thread([this, admin]() mutable {
    while (!stops_) {
      if (auto seen = look_at(watched_, admin)) {
        if (seen->servers.empty()) admin = admin_of(watched_);  // passwords change
        looks_.push_back(std::move(*seen));
      }
      std::this_thread::sleep_for(look_period);
    }
  });
}

watcher::~watcher() {
  if (thread_.joinable()) stop();
}

std::vector<look> watcher::stop() {
  stops_ = true;
  thread_.join();
  return std::move(looks_);
}

}  // namespace mysql_cluster::testing
