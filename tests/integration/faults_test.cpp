// Faults: a killed daemon, a stopped API server. The end state is what an undisturbed run gives,
// and then there is silence.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

constexpr int crowd = 200;

std::string crowd_yaml() {
  std::string all;
  for (int i = 0; i < crowd; ++i)
    all += myapp_yaml(fmt::format("app-{:03}", i), 0) + "---\n";
  return all;
}

std::string join(const std::vector<std::string>& lines) {
  std::string all;
  for (const auto& line : lines)
    all += line + "\n";
  return all;
}

void expect_all_ready(const std::string& ns) {
  const auto wanted = shared_cluster().fields("myapp", ns);
  ASSERT_EQ(wanted.size(), static_cast<std::size_t>(crowd));
  EXPECT_TRUE(eventually([&] { return shared_cluster().fields("deployment", ns) == wanted; }, 60s))
      << shared_cluster().fields("deployment", ns).size() << " Deployments";
  const std::string ready = ".status.conditions[?(@.type==\"Ready\")].status";
  EXPECT_TRUE(eventually(
      [&] { return shared_cluster().fields("myapp", ns, ready).count("True") == crowd; }, 60s))
      << shared_cluster().fields("myapp", ns, ready).count("True") << " ready";
}

TEST(Faults, KilledInTheMiddleOfACrowdItFinishesAndThenIsSilent) {
  auto& c = shared_cluster();
  c.make_namespace("crowd");
  {
    daemon first(c, {});
    ASSERT_TRUE(first.wait_ready(30s)) << first.process().log();
    background apply({devcluster_tool(), "kubectl", "--kubeconfig", c.dir() / "admin.kubeconfig",
                      "apply", "-n", "crowd", "-f",
                      [&] {
                        const auto file = c.dir() / "crowd.yaml";
                        std::ofstream(file) << crowd_yaml();
                        return file.string();
                      }()},
                     c.dir() / "apply.log");
    ASSERT_TRUE(
        eventually([] { return shared_cluster().fields("deployment", "crowd").size() > 20; }, 60s));
    first.process().send(SIGKILL);
    EXPECT_EQ(first.process().wait(5s), 128 + SIGKILL);
    ASSERT_EQ(apply.wait(90s), 0) << apply.log();
  }
  EXPECT_LT(shared_cluster().fields("deployment", "crowd").size(), static_cast<std::size_t>(crowd))
      << "the kill came too late to prove anything";
  daemon second(c, {});
  ASSERT_TRUE(second.wait_ready(30s)) << second.process().log();
  expect_all_ready("crowd");
  std::this_thread::sleep_for(5s);  // the API server's audit log is written behind the answers
  const auto from = c.audit_lines();
  std::this_thread::sleep_for(60s);
  const auto late = c.writes("oarlock", from);
  EXPECT_TRUE(late.empty()) << late.size() << " writes on a converged cluster:\n" << join(late);
}

TEST(Faults, ApiServerGoneForThirtySecondsLosesNothing) {
  auto& c = shared_cluster();
  c.make_namespace("outage");
  daemon d(c, {});
  ASSERT_TRUE(d.wait_ready(30s)) << d.process().log();
  c.must({"apply", "-n", "outage", "-f", "-"}, myapp_yaml("before", 0));
  ASSERT_TRUE(
      eventually([&] { return shared_cluster().fields("deployment", "outage").size() == 1; }, 20s));
  c.component("stop", "kube-apiserver");
  std::this_thread::sleep_for(30s);
  EXPECT_TRUE(d.process().running()) << d.process().log();
  EXPECT_NE(d.probe("/healthz").find("ok"), std::string::npos) << "it is the API that is down";
  c.component("start", "kube-apiserver");
  c.must({"apply", "-n", "outage", "-f", "-"}, myapp_yaml("after", 0));
  c.must({"scale", "myapp", "before", "-n", "outage", "--replicas=4"});
  EXPECT_TRUE(
      eventually([&] { return shared_cluster().fields("deployment", "outage").size() == 2; }, 60s))
      << d.process().log();
  EXPECT_TRUE(eventually(
      [&] { return c.field("deployment", "before", "outage", ".spec.replicas") == "4"; }, 60s));
  EXPECT_TRUE(d.wait_ready(60s)) << d.probe("/readyz");
}

}  // namespace
}  // namespace oarlock::testing
