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
  const daemon::options with_election{{"myapp"}, {"--leader-election-id=handover"}, true, {}};
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
      [&] { return metric(second.metrics(), "leader_election_master_status") == 1; }, 5s))
      << "a released lease is taken at the next look, not after 15 s";
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
