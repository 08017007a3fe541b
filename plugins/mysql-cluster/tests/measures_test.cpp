// What monitoring is told, and that the alerts and the dashboard ask for nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "../src/generate.hpp"
#include "../src/measures.hpp"
#include "oarlock/sdk/secret.hpp"
#include "oarlock/sdk/testing/bench_host.hpp"

extern "C" const oarlock_plugin* oarlock_plugin_entry_v0();

namespace mysql_cluster {
namespace {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;
using sdk::testing::bench_host;
using ::testing::IsSubsetOf;

const std::string folder = MYSQL_CLUSTER_FOLDER;

std::string whole(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string cluster_json(const std::string& spec, const std::string& status) {
  return R"({"apiVersion":"mysql.oarlock.dev/v1alpha1","kind":"MySQLCluster",)"
         R"("metadata":{"name":"db","namespace":"shop","uid":"u-1","generation":1},)"
         R"("spec":{"image":"mysql:9","replicas":3,"storage":{"size":"1Gi"})" +
         spec + R"(},"status":{)" + status + "}}";
}

constexpr const char* in_order =
    R"("phase":"Ready","primary":"db-0","epoch":4,"failovers":2,"switchovers":1,)"
    R"("lastFailoverSeconds":7,"passwords":{"changes":3},"synced":"2/2","quarantined":[],)"
    R"("conditions":[{"type":"FailoverPossible","status":"True","reason":"Quorum",)"
    R"("lastTransitionTime":"2026-03-01T12:00:00Z"}])";

measured measure_of(const std::string& cluster, const std::string& observed) {
  const auto said = json::parse(observed);
  return measure(sdk::from_json<my_sql_cluster>(cluster), json::node(&said));
}

TEST(mysql_measures, say_of_a_cluster_in_order_that_it_is) {
  const measured is =
      measure_of(cluster_json("", in_order),
                 R"({"certificates":{"endsUnixMs":9000},"passwords":{"drawn":true},)"
                 R"("members":[{"name":"db-0","reachable":true,"writable":true},)"
                 R"({"name":"db-1","reachable":true,"certificateEndsUnixMs":8000,)"
                 R"("replication":{"lagMs":2500}},)"
                 R"({"name":"db-2","reachable":true,"replication":{"lagMs":10}},)"
                 R"({"name":"db-9","reachable":false,"replication":{"lagMs":99000}}]})");
  EXPECT_TRUE(is == (measured{.available = true,
                              .healthy = true,
                              .failover_possible = true,
                              .paused = false,
                              .members = 3,
                              .answering = 3,
                              .synced = 2,
                              .errant = 0,
                              .epoch = 4,
                              .failovers = 2,
                              .switchovers = 1,
                              .last_failover_s = 7,
                              .certificate_ends_s = 8,
                              .passwords_changing = true,
                              .password_changes = 3,
                              .lag_s = 2.5}));
}

TEST(mysql_measures, count_on_nothing_but_the_primary_on_record) {
  const auto cluster = cluster_json("", in_order);
  // A lost primary that comes back writable is no cluster that takes writes.
  const auto other = measure_of(cluster, R"({"members":[{"name":"db-0","reachable":false},)"
                                         R"({"name":"db-1","reachable":true,"writable":true}]})");
  EXPECT_FALSE(other.available);
  EXPECT_FALSE(other.healthy) << "whatever the status said before it was lost";
  EXPECT_EQ(other.answering, 1);
  EXPECT_FALSE(
      measure_of(cluster, R"({"members":[{"name":"db-0","reachable":true,"writable":false}]})")
          .available);
  const auto fresh = measure_of(cluster_json(R"(,"paused":true)", ""), "{}");
  EXPECT_TRUE(fresh == (measured{.paused = true, .members = 3}));
}

TEST(mysql_measures, say_until_when_a_change_keeps_old_passwords_on_purpose) {
  const auto until = [](const char* status, const char* observed) {
    return measure_of(cluster_json(R"(,"passwords":{"keepOldSeconds":600})", status), observed)
        .old_passwords_until_s;
  };
  const auto* published = R"("passwords":{"publishedAt":"1970-01-01T01:00:00Z"})";
  EXPECT_EQ(until(published, R"({"passwords":{"drawn":true}})"), 4200);
  EXPECT_EQ(until("", R"({"passwords":{"drawn":true}})"), 0);
  EXPECT_EQ(until(published, R"({"passwords":{"drawn":false}})"), 0);
}

sdk::testing::given given_cluster() {
  sdk::testing::given made;
  made.controller = "mysqlcluster";
  made.primary = {"mysqlclusters.mysql.oarlock.dev", cluster_json("", in_order)};
  made.ns = "shop";
  made.name = "db";
  return made;
}

std::string secret_json(const std::map<std::string, std::string>& data) {
  json::value made = json::object({});
  for (const auto& [key, value] : data)
    made.set(key, sdk::base64_encode(value));
  return json::object({{"data", std::move(made)}}).text();
}

// One look and one effect that fails, as nobody listens there.
std::map<std::string, double> all_told() {
  bench_host host(*oarlock_plugin_entry_v0());
  host.world().live["secrets/db-accounts"] =
      secret_json({{"admin", "a"}, {"replication", "r"}, {"clone", "c"}});
  host.world().live["secrets/db-tls"] =
      secret_json({{"ca.crt", new_ca("db", "shop", 0).certificate}});
  host.world().live["secrets/db-app"] = secret_json({{"password", "p"}});
  EXPECT_EQ(host.observe(given_cluster()).returned, OARLOCK_OK);
  const auto failed =
      host.effect(given_cluster(), "open.db-0",
                  R"({"member":"db-0","address":"127.255.255.254","text":"","number":1})");
  EXPECT_EQ(failed.fail_reason, "StatementFailed") << failed.fail_message;
  return host.world().metrics;
}

TEST(mysql_measures, are_told_by_each_look_and_each_effect) {
  const auto told = all_told();
  EXPECT_EQ(told.at("available{shop,db}"), 0) << "no member answers";
  EXPECT_EQ(told.at("members{shop,db}"), 3);
  EXPECT_EQ(told.at("replicas_synced{shop,db}"), 2);
  EXPECT_EQ(told.at("primary_epoch{shop,db}"), 4);
  EXPECT_EQ(told.at("failovers{shop,db}"), 2);
  EXPECT_EQ(told.at("last_failover_seconds{shop,db}"), 7);
  EXPECT_EQ(told.at("replica_lag_seconds{shop,db}"), 0);
  EXPECT_EQ(told.at("effects_total{shop,db,open,failed}"), 1);
}

TEST(mysql_measures, are_all_that_alerts_and_dashboard_ask_for) {
  std::set<std::string> told;
  for (const auto& [series, value] : all_told())
    told.insert("mysql_cluster_" + series.substr(0, series.find('{')));
  for (const char* file : {"rules.yaml", "dashboard.json"}) {
    const auto text = whole(folder + "/monitoring/" + file);
    std::set<std::string> asked;
    const std::regex name("mysql_cluster_[a-z_]+");
    for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at)
      asked.insert(at->str());
    EXPECT_GE(asked.size(), 5U) << file;
    EXPECT_THAT(asked, IsSubsetOf(told)) << file;
  }
  EXPECT_NO_THROW((void)json::parse(whole(folder + "/monitoring/dashboard.json")));
}

}  // namespace
}  // namespace mysql_cluster
