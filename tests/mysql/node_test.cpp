// The plugin, its image and a real kubelet: pods with volumes, probes, preStop and restarts. This
// program works in the node's network, as only there the addresses of pods and Services are known.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <iostream>

#include "core/json/parse.hpp"
#include "tests/mysql/load.hpp"

namespace mysql_cluster::testing {
namespace {

using namespace std::chrono_literals;
using oarlock::testing::background;
using oarlock::testing::devcluster_tool;
using oarlock::testing::kubectl_user;
using ::testing::IsEmpty;

constexpr const char* ns = "mysql";
constexpr auto up_limit = 300s;

oarlock::testing::finished must_run(const std::vector<std::string>& argv) {
  auto done = oarlock::testing::run(argv, {}, up_limit);
  if (done.exit_code != 0) throw std::runtime_error(argv[0] + " " + argv[1] + ": " + done.err);
  return done;
}

/// A cluster with one real node, in whose network the test then is.
class real_node {
 public:
  real_node() {
    const auto image = dir_.path() / "mysql.tar";
    must_run(
        {oarlock::testing::source_dir() / "plugins/mysql-cluster/image/build.sh", "mysql", image});
    must_run({devcluster_tool(), "up", "--dir", cluster(), "--level", "node", "--kubeconfig",
              kubeconfig()});
    must_run({devcluster_tool(), "load-image", "--dir", cluster(), image});
    const auto status = oarlock::json::parse(
        must_run({devcluster_tool(), "status", "--dir", cluster(), "-o", "json"}).out);
    for (const auto& c : oarlock::json::find(*status, "/components")->GetArray()) {
      if (oarlock::json::string_at(c, "/name") != "kubelet") continue;
      enter("/proc/" + std::to_string(oarlock::json::int_at(c, "/pid").value_or(0)) + "/ns/net");
    }
  }
  ~real_node() {
    if (outside_ >= 0) setns(outside_, CLONE_NEWNET);
    close(outside_);
    oarlock::testing::run({devcluster_tool(), "down", "--dir", cluster(), "--purge"});
  }
  real_node(const real_node&) = delete;
  real_node& operator=(const real_node&) = delete;

  [[nodiscard]] std::string kubeconfig() const { return dir_.path() / "kubeconfig"; }
  [[nodiscard]] std::string daemon_log() const { return dir_.path() / "oarlockd.log"; }

 private:
  [[nodiscard]] std::string cluster() const { return dir_.path() / "cluster"; }

  void enter(const std::string& network) {
    outside_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const int inside = open(network.c_str(), O_RDONLY | O_CLOEXEC);
    const int failed = setns(inside, CLONE_NEWNET);
    close(inside);
    if (failed != 0) throw std::runtime_error("cannot enter the network " + network);
  }

  oarlock::testing::scratch_dir dir_;
  int outside_ = -1;
};

class mysql_node : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root: a Kubernetes node";
    if (!std::filesystem::exists(oarlock::testing::source_dir() / "build/mysql/mysql.tar")) {
      GTEST_SKIP() << "no MySQL packages: tools/build.sh mysql";
    }
    node_ = std::make_unique<real_node>();
    kube_ = std::make_unique<kubectl_user>(node_->kubeconfig());
    kube_->must({"create", "namespace", ns});
    const auto plugin = oarlock::testing::built("plugins/mysql-cluster");
    kube_->must({"apply", "-f", plugin / "crds"});
    kube_->must({"wait", "--for=condition=Established", "--timeout=60s", "crd",
                 "mysqlclusters.mysql.oarlock.dev"});
    daemon_ = std::make_unique<background>(
        std::vector<std::string>{
            oarlock::testing::built("bin/oarlockd"), "--kubeconfig", node_->kubeconfig(),
            "--plugin", plugin, "--leader-elect=false", "--metrics-bind-address=127.0.0.1:0",
            "--health-probe-bind-address=127.0.0.1:0", "--metrics-secure=false"},
        node_->daemon_log());
    load_ = std::make_unique<cluster_under_load>(
        *kube_, ns,
        [this] { return std::optional(kube_->field("service", "db-rw", ns, ".spec.clusterIP")); },
        [this] { return daemon_->log(); });
    load_->start();
  }

  void kill_server(const std::string& pod) {
    kube_->must({"exec", pod, "-n", ns, "-c", "mysqld", "--", "sh", "-c",
                 "kill -9 $(cat /run/mysqld/mysqld.pid)"});
  }
  void delete_at_once(const std::string& pod) {
    kube_->must({"delete", "pod", pod, "-n", ns, "--grace-period=0", "--force"});
  }

  void recover(const char* what, std::int64_t begin_ns) {
    ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());
    ASSERT_NO_FATAL_FAILURE(load_->wait_for_writes());
    std::cout << "mysql: " << what << ", longest time without an acknowledgement "
              << load_->longest_gap_ms(begin_ns) << " ms\n";
  }

  std::unique_ptr<real_node> node_;
  std::unique_ptr<kubectl_user> kube_;
  std::unique_ptr<background> daemon_;
  std::unique_ptr<cluster_under_load> load_;
};

TEST_F(mysql_node, losses_of_the_primary_lose_no_acknowledged_write) {
  // F1. The kubelet starts the server again; whether that or a failover wins, no write is lost.
  auto begin = writer::now_ns();
  kill_server(load_->primary());
  ASSERT_NO_FATAL_FAILURE(recover("F1", begin));
  // F3.
  begin = writer::now_ns();
  delete_at_once(load_->primary());
  ASSERT_NO_FATAL_FAILURE(recover("F3", begin));
  // A pod that is to go gives the primary away first.
  begin = writer::now_ns();
  const auto leaving = load_->primary();
  kube_->must({"delete", "pod", leaving, "-n", ns});
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(leaving));
  ASSERT_NO_FATAL_FAILURE(recover("pod deleted", begin));
  // F7: a replica and the primary are gone, and have nowhere to run.
  begin = writer::now_ns();
  kube_->must({"cordon", "node-1"});
  const auto replica = load_->replica(), primary = load_->primary();
  delete_at_once(replica);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_writes());
  delete_at_once(primary);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_condition("FailoverBlocked", "QuorumLost"));
  kube_->must({"uncordon", "node-1"});
  ASSERT_NO_FATAL_FAILURE(recover("F7", begin));

  EXPECT_THAT(load_->end(), IsEmpty());
}

}  // namespace
}  // namespace mysql_cluster::testing
