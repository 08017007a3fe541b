// The plugin in oarlockd, a real API server, and real servers on loopback: what is lost, and that
// no acknowledged write is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "tests/mysql/load.hpp"
#include "tests/mysql/loopback_node.hpp"

namespace mysql_cluster::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* ns = "losses";

// By the plugin's home.
class mysql_losses : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const auto why = why_no_servers(); !why.empty()) GTEST_SKIP() << why;
    kube_ = std::make_unique<oarlock::testing::cluster>();
    kube_->make_namespace(ns);
    kube_->must({"apply", "-f", oarlock::testing::built("plugins/mysql-cluster/crds")});
    kube_->must({"wait", "--for=condition=Established", "--timeout=60s", "crd",
                 "mysqlclusters.mysql.oarlock.dev"});
    oarlock::testing::daemon::options o;
    o.plugins = {"mysql-cluster"};
    o.flags = {std::string("--plugin-home=") + GetParam()};
    o.kubeconfig = kube_->dir() / "admin.kubeconfig";
    daemon_ = std::make_unique<oarlock::testing::daemon>(*kube_, o);
    node_ = std::make_unique<loopback_node>(*kube_, ns);
    load_ = std::make_unique<cluster_under_load>(
        *kube_, ns, [this] { return node_->address_of("primary"); },
        [this] { return node_->log("db-0") + "oarlockd:\n" + daemon_->process().log(); });
    load_->start();
  }

  void lose(const std::string& pod) {
    node_->hold(pod, true);
    node_->kill_server(pod);
  }
  void give_back(const std::string& pod) { node_->hold(pod, false); }

  std::unique_ptr<oarlock::testing::cluster> kube_;
  std::unique_ptr<oarlock::testing::daemon> daemon_;
  std::unique_ptr<loopback_node> node_;
  std::unique_ptr<cluster_under_load> load_;
};

TEST_P(mysql_losses, F1_and_F7_lose_no_acknowledged_write) {
  // F1: the primary's server is killed and does not come back for a while. What it was just
  // committing, and nobody acknowledged, may be in its log: then it comes back as a copy.
  const auto first = load_->primary();
  const auto begin = writer::now_ns();
  lose(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(first));
  std::cout << "mysql: F1, longest time without an acknowledgement " << load_->longest_gap_ms(begin)
            << " ms\n";
  give_back(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());

  // F7: the primary goes while one replica is away as well. Nobody knows whether the other one has
  // all that was acknowledged, so nothing is done before the first is back.
  const auto second = load_->primary();
  lose(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_writes());
  lose(second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_condition("FailoverBlocked", "QuorumLost"));
  EXPECT_EQ(load_->primary(), second);
  EXPECT_THAT(load_->condition("FailoverBlocked", "message"), HasSubstr("2 replicas must answer"));
  give_back(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(second));
  give_back(second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());

  EXPECT_THAT(load_->end(), IsEmpty());
  const auto page = daemon_->metrics();
  EXPECT_LE(oarlock::testing::metric(page, "oarlock_plugin_child_restarts_total"), 0) << page;
}

INSTANTIATE_TEST_SUITE_P(homes, mysql_losses, ::testing::Values("core", "child"),
                         [](const auto& home) { return std::string(home.param); });

}  // namespace
}  // namespace mysql_cluster::testing
