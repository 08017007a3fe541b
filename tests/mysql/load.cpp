#include "tests/mysql/load.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iostream>

namespace mysql_cluster::testing {

using namespace std::chrono_literals;
using oarlock::testing::eventually;

namespace {

constexpr auto start_limit = 240s;  // three servers are made, or become copies
// Of each thing that the operator shall bring about.
constexpr auto change_limit = 90s;
constexpr int writers = 3;

constexpr const char* three_members = R"(
apiVersion: mysql.oarlock.dev/v1alpha1
kind: MySQLCluster
metadata: {name: db}
spec:
  image: oarlock.local/mysql:9
  replicas: 3
  storage: {size: 1Gi}
  failover: {delaySeconds: 0, unacknowledged: Discard}
  config: {innodb_redo_log_capacity: "16777216"}
)";

}  // namespace

cluster_under_load::cluster_under_load(const oarlock::testing::kubectl_user& kube, std::string ns,
                                       std::function<std::optional<std::string>()> find,
                                       std::function<std::string()> logs)
    : seen_{kube, std::move(ns), "db"}, find_(std::move(find)), logs_(std::move(logs)) {}

std::string cluster_under_load::story() const {
  auto logs = logs_();
  if (logs.size() > 6000) logs.erase(0, logs.size() - 6000);
  return seen_.kube.kubectl({"describe", "mysqlcluster,pods", "-n", seen_.ns}).out + logs;
}

std::string cluster_under_load::database() const {
  return seen_.kube.field("mysqlcluster", "db", seen_.ns, ".spec.bootstrap.database");
}

std::string cluster_under_load::primary() const {
  return seen_.kube.field("mysqlcluster", "db", seen_.ns, ".status.primary");
}

std::string cluster_under_load::replica() const {
  const auto first = primary();
  return first == "db-0" ? "db-1" : "db-0";
}

std::string cluster_under_load::condition(const std::string& type, const std::string& field) const {
  return seen_.kube.field("mysqlcluster", "db", seen_.ns,
                          ".status.conditions[?(@.type==\"" + type + "\")]." + field);
}

void cluster_under_load::start() {
  seen_.kube.must({"apply", "-n", seen_.ns, "-f", "-"}, three_members);
  const auto is_ready = [&] { return condition("Ready", "status") == "True"; };
  ASSERT_TRUE(eventually(is_ready, start_limit)) << story();
  watcher_ = std::make_unique<watcher>(seen_);
  read_password();
  writer_ = std::make_unique<writer>(
      database(),
      [this]() -> std::optional<sql_target> {
        const auto address = find_();
        if (!address) return std::nullopt;
        const std::scoped_lock lock(mutex_);
        auto to = application_;
        to.address = *address;
        return to;
      },
      writers);
  wait_for_writes();
}

void cluster_under_load::read_password() {
  auto now = application_of(seen_);
  const std::scoped_lock lock(mutex_);
  application_ = std::move(now);
}

void cluster_under_load::wait_for_condition(const std::string& type, const std::string& reason) {
  ASSERT_TRUE(eventually([&] { return condition(type, "reason") == reason; }, change_limit))
      << "expected condition " << type << " with reason " << reason << '\n'
      << story();
}

void cluster_under_load::wait_for_other_than(const std::string& old) {
  ASSERT_TRUE(eventually([&] { return primary() != old; }, change_limit)) << story();
  wait_for_writes();
}

void cluster_under_load::wait_for_writes() {
  const auto before = writer_->acknowledged();
  ASSERT_TRUE(eventually([&] { return writer_->acknowledged() > before + 5; }, change_limit))
      << story();
}

void cluster_under_load::wait_until_whole() {
  const auto are_whole = [&] {
    return seen_.kube.fields("pods", seen_.ns, ".metadata.labels.mysql\\.oarlock\\.dev/role") ==
           std::multiset<std::string>{"primary", "replica", "replica"};
  };
  ASSERT_TRUE(eventually(are_whole, change_limit)) << story();
}

std::int64_t cluster_under_load::longest_gap_ms(std::int64_t since_ns) const {
  return writer_->longest_gap_ns(since_ns) / 1'000'000;
}

std::vector<std::string> cluster_under_load::end(int members) {
  history h;
  h.members = members;
  h.writes = writer_->stop();
  h.looks = watcher_->stop();
  auto to = admin_of(seen_);
  const auto is_quiet = [&] {
    h.end = look_at(seen_, to);
    return h.end && h.end->servers.size() == static_cast<std::size_t>(members) &&
           std::ranges::all_of(h.end->servers, [&](const auto& s) {
             return s.executed == h.end->servers.back().executed;
           });
  };
  eventually(is_quiet, change_limit);  // the checker says what is missing
  for (const auto& pod : seen_.kube.fields("pods", seen_.ns)) {
    to.address = seen_.kube.field("pod", pod, seen_.ns, ".status.podIP");
    h.rows[pod] = rows_of(to, database());
  }
  std::cout << "mysql: " << h.writes.size() << " writes, "
            << std::ranges::count_if(h.writes, &write::is_acknowledged) << " acknowledged, "
            << h.looks.size() << " looks\n";
  auto broken = broken_invariants(h);
  if (!broken.empty()) {
    const auto file = std::filesystem::temp_directory_path() / "oarlock-mysql-history.txt";
    std::ofstream(file) << text_of(h);
    std::cout << "mysql: the history is in " << file << '\n' << story();
  }
  return broken;
}

}  // namespace mysql_cluster::testing
