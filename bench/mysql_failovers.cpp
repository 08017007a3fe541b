// How long nobody can write when the primary of a MySQLCluster is killed: from the last
// acknowledged write of any client to the next one, 30 times, with delaySeconds 0. The plugin in
// oarlockd, a real API server, and three real servers as processes on loopback; there is no
// kubelet. Prints a table and writes build/bench/mysql_failovers.json.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "bench/figures.hpp"
#include "tests/mysql/load.hpp"
#include "tests/mysql/loopback_node.hpp"

namespace mysql_cluster::testing {
namespace {

using namespace std::chrono_literals;
namespace support = oarlock::testing;

constexpr const char* ns = "bench";
constexpr int runs = 30;

double fail_over(loopback_node& node, cluster_under_load& load) {
  const auto first = load.primary();
  const auto begin = writer::now_ns();
  node.hold(first, true);
  node.kill_server(first);
  load.wait_for_other_than(first);
  const auto gap = static_cast<double>(load.longest_gap_ms(begin));
  node.hold(first, false);
  load.wait_until_whole();
  // The next one needs both replicas.
  support::until([&] { return load.condition("FailoverPossible", "status") == "True"; }, 90s);
  return gap;
}

int measure() {
  support::cluster kube;
  kube.make_namespace(ns);
  kube.must({"apply", "-f", support::built("plugins/mysql-cluster/crds")});
  kube.must({"wait", "--for=condition=Established", "--timeout=60s", "crd",
             "mysqlclusters.mysql.oarlock.dev"});
  support::daemon::options o;
  o.plugins = {"mysql-cluster"};
  o.kubeconfig = kube.dir() / "admin.kubeconfig";
  support::daemon daemon(kube, o);
  loopback_node node(kube, ns);
  cluster_under_load load(
      kube, ns, [&] { return node.address_of("primary"); }, [&] { return daemon.process().log(); });
  load.start();
  std::vector<double> gaps;
  for (int i = 0; i < runs; ++i)
    gaps.push_back(fail_over(node, load));
  const auto broken = load.end();
  for (const auto& what : broken)
    std::cout << what << '\n';
  std::ranges::sort(gaps);
  support::report(
      "mysql_failovers",
      {{"failovers", runs, ""},
       {"without an acknowledged write: shortest", gaps.front(), "ms"},
       {"median", gaps[gaps.size() / 2], "ms"},
       {"90 %", gaps[gaps.size() * 9 / 10], "ms"},
       {"longest", gaps.back(), "ms"},
       {"broken invariants; I1 is a lost write", static_cast<double>(broken.size()), ""}});
  return broken.empty() ? 0 : 1;
}

}  // namespace
}  // namespace mysql_cluster::testing

int main(int argc, char** argv) {
  GTEST_FLAG_SET(throw_on_failure, true);  // what waits too long ends it
  ::testing::InitGoogleTest(&argc, argv);
  if (const auto why = mysql_cluster::testing::why_no_servers(); !why.empty()) {
    std::cout << "skipped: " << why << '\n';
    return 0;
  }
  return mysql_cluster::testing::measure();
}
