// What acknowledgements of replicas cost a MySQLCluster in writes, and how long another replica
// takes by how much data there is: one member, then two, then three. Real servers as processes on
// one machine and one disk, so a replica costs the primary's own time here, and no network's.
// Prints a table and writes build/bench/mysql_costs.json.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <thread>

#include "bench/figures.hpp"
#include "tests/mysql/loopback_node.hpp"
#include "tests/mysql/watch.hpp"

namespace mysql_cluster::testing {
namespace {

using namespace std::chrono_literals;
namespace support = oarlock::testing;

constexpr const char* ns = "bench";
constexpr int connections = 8;
constexpr auto written_for = 10s;

constexpr const char* one_member = R"(
apiVersion: mysql.oarlock.dev/v1alpha1
kind: MySQLCluster
metadata: {name: db}
spec: {image: "oarlock.local/mysql:9", replicas: 1, storage: {size: 1Gi}}
)";

class costs {
 public:
  costs() {
    kube_.make_namespace(ns);
    kube_.must({"apply", "-f", support::built("plugins/mysql-cluster/crds")});
    kube_.must({"wait", "--for=condition=Established", "--timeout=60s", "crd",
                "mysqlclusters.mysql.oarlock.dev"});
    support::daemon::options o;
    o.plugins = {"mysql-cluster"};
    o.kubeconfig = kube_.dir() / "admin.kubeconfig";
    daemon_ = std::make_unique<support::daemon>(kube_, o);
    node_ = std::make_unique<loopback_node>(kube_, ns);
    kube_.must({"apply", "-n", ns, "-f", "-"}, one_member);
    wait_for(1);
    run("CREATE TABLE writes (id BIGINT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(64))");
    run("CREATE TABLE filler (id BIGINT AUTO_INCREMENT PRIMARY KEY, data LONGBLOB)");
  }

  void measure() {
    rate("writes a second of 8 clients, no replica");
    add(2, 32);
    rate("one of one replica acknowledges");
    add(3, 256);
    rate("one of two replicas acknowledges");
    support::report("mysql_costs", figures_);
  }

 private:
  // Throws what says how far it is after five minutes.
  void wait_for(int members) {
    const auto others = std::to_string(members - 1);
    const auto is_ready = [&] {
      return kube_.field("mysqlcluster", "db", ns, ".status.phase") == "Ready" &&
             kube_.field("mysqlcluster", "db", ns, ".status.synced") == others + "/" + others;
    };
    if (support::eventually(is_ready, 300s)) return;
    throw std::runtime_error(kube_.get("mysqlcluster", "db", ns) + daemon_->process().log());
  }

  sql_target target() {
    auto made = application_of({kube_, ns, "db"});
    const auto has_address = [&] {
      made.address = node_->address_of("primary").value_or("");
      return !made.address.empty();
    };
    if (!support::eventually(has_address, 60s)) throw std::runtime_error("no primary");
    return made;
  }

  void run(const std::string& statement, int times = 1) {
    sql_session server(target(), sql_clock() + 10s);
    server.query("USE app", sql_clock() + 10s);
    for (int i = 0; i < times; ++i)
      server.query(statement, sql_clock() + 30s);
  }

  void rate(const std::string& name) {
    const auto to = target();
    std::atomic<int> written{0};
    std::vector<std::thread> clients;
    const auto end = sql_clock() + written_for;
    for (int i = 0; i < connections; ++i) {
      clients.emplace_back([&] {
        sql_session server(to, sql_clock() + 10s);
        while (sql_clock() < end) {
          server.query("INSERT INTO app.writes (text) VALUES ('some text of a client')",
                       sql_clock() + 30s);
          ++written;
        }
      });
    }
    for (auto& client : clients)
      client.join();
    figures_.push_back({name, static_cast<double>(written) / 10, "1/s"});
  }

  void add(int members, int mebibytes) {
    run("INSERT INTO filler (data) VALUES (REPEAT('x', 1048576))", mebibytes - filled_);
    filled_ = mebibytes;
    kube_.must({"patch", "mysqlcluster", "db", "-n", ns, "--type=merge", "-p",
                fmt::format(R"({{"spec":{{"replicas":{}}}}})", members)});
    const auto begin = sql_clock();
    wait_for(members);
    const std::chrono::duration<double> took = sql_clock() - begin;
    figures_.push_back({fmt::format("another replica that has all, with {} MiB of rows", mebibytes),
                        took.count(), "s"});
  }

  support::cluster kube_;
  std::unique_ptr<support::daemon> daemon_;
  std::unique_ptr<loopback_node> node_;
  std::vector<support::figure> figures_;
  int filled_ = 0;
};

}  // namespace
}  // namespace mysql_cluster::testing

int main() {
  if (const auto why = mysql_cluster::testing::why_no_servers(); !why.empty()) {
    std::cout << "skipped: " << why << '\n';
    return 0;
  }
  mysql_cluster::testing::costs().measure();
}
