// Leaders that leave and leaders that die: somebody else takes over, and only then.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

TEST(Leader, ASecondProcessTakesOverWhenTheFirstLeaves) {
  auto& c = shared_cluster();
  c.make_namespace("lead");
  // Who stands by would look again after 100 s: what wakes it is its watch on the lease.
  const daemon::options with_election{
      {"myapp"},
      {"--leader-election-id=handover", "--leader-election-lease-duration=300s",
       "--leader-election-renew-deadline=200s", "--leader-election-retry-period=100s"},
      true,
      {}};
  auto first = std::make_unique<daemon>(c, with_election);
  ASSERT_TRUE(first->wait_ready(30s)) << first->process().log();
  ASSERT_TRUE(eventually(
      [&] { return metric(first->metrics(), "leader_election_master_status") == 1; }, 30s));
  daemon second(c, with_election);
  ASSERT_TRUE(second.wait_ready(30s)) << second.process().log();
  EXPECT_EQ(metric(second.metrics(), "leader_election_master_status"), 0) << "one leader only";
  first->process().send(SIGTERM);
  EXPECT_EQ(first->process().wait(40s), 0) << first->process().log();
  EXPECT_TRUE(eventually(
      [&] { return metric(second.metrics(), "leader_election_master_status") == 1; }, 30s))
      << second.process().log();
  // What needs no lease comes after it is given up.
  const auto log = first->process().log();
  EXPECT_LT(log.find("released the lease"), log.find("the caches have ended")) << log;
  c.must({"apply", "-n", "lead", "-f", "-"}, myapp_yaml("led", 0));
  EXPECT_TRUE(
      eventually([&] { return shared_cluster().fields("deployment", "lead").size() == 1; }, 20s));
}

TEST(Leader, AKilledLeaderIsReplacedWhenItsLeaseExpires) {
  auto& c = shared_cluster();
  c.make_namespace("expire");
  const daemon::options with_election{{"myapp"}, {"--leader-election-id=expiry"}, true, {}};
  auto first = std::make_unique<daemon>(c, with_election);
  ASSERT_TRUE(eventually(
      [&] { return metric(first->metrics(), "leader_election_master_status") == 1; }, 30s));
  daemon second(c, with_election);
  ASSERT_TRUE(second.wait_ready(30s)) << second.process().log();
  first->process().send(SIGKILL);
  first->process().wait(5s);
  c.must({"apply", "-n", "expire", "-f", "-"}, myapp_yaml("orphan", 0));
  EXPECT_TRUE(
      eventually([&] { return shared_cluster().fields("deployment", "expire").size() == 1; }, 40s))
      << second.process().log();
}

}  // namespace
}  // namespace oarlock::testing
