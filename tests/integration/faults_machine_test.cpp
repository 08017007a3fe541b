// Row Q2 of docs/fault-catalogue.md: disk and threads, denied by namespaces and groups.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/cgroup.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using words = std::vector<std::string>;

class FaultMachine : public ::testing::Test {
 protected:
  FaultMachine() { c.make_namespace(ns); }
  static std::string next_namespace() {
    static int count = 0;
    return "machine-" + std::to_string(++count);
  }
  // Why this machine cannot do it; empty when it can.
  static std::string refusal(words under) {
    under.emplace_back("true");
    const auto tried = run(under);
    return tried.exit_code == 0 ? "" : under[0] + ": " + tried.err;
  }
  void start(words under, words flags = {}) {
    flags.push_back("--namespace=" + ns);
    oarlockd.reset();
    oarlockd = std::make_unique<daemon>(
        c, daemon::options{{"myapp"}, std::move(flags), false, {}, true, std::move(under)});
  }
  void apply(const std::string& name) const {
    c.must({"apply", "-n", ns, "-f", "-"}, myapp_yaml(name, 0));
  }
  [[nodiscard]] bool made(const std::string& name) const {
    return eventually([&] { return !c.field("deployment", name, ns, ".metadata.uid").empty(); },
                      60s);
  }

  cluster& c = shared_cluster();
  const std::string ns = next_namespace();
  std::unique_ptr<cgroup> group;     // outlives
  std::unique_ptr<daemon> oarlockd;  // who is in it
};

TEST_F(FaultMachine, Q2_AReadOnlyRootAndAFullStateFolderLeaveItWorking) {
  const scratch_dir state;
  const words under{"unshare",
                    "-rm",
                    "sh",
                    "-euc",
                    "mount --make-rprivate / && mount -t tmpfs -o size=4k tmpfs \"$0\"\n"
                    "head -c 8192 /dev/zero >\"$0/fill\" 2>/dev/null || true\n"
                    "mount -o remount,bind,ro / && exec \"$@\"",
                    state.path()};
  if (const auto why = refusal(under); !why.empty()) GTEST_SKIP() << why;
  start(under, {"--state-dir=" + state.path().string()});
  ASSERT_TRUE(oarlockd->wait_ready(60s)) << oarlockd->process().log();
  apply("one");
  EXPECT_TRUE(made("one")) << oarlockd->process().log();
  if (under_a_sanitizer) return;  // which has handlers of its own
  oarlockd->process().send(SIGSEGV);
  EXPECT_EQ(oarlockd->process().wait(30s), 128 + SIGSEGV);
  EXPECT_THAT(oarlockd->process().log(), HasSubstr(" ended: SIGSEGV in thread "));
  apply("two");
  start({});
  EXPECT_TRUE(made("two")) << "the next one goes on\n" << oarlockd->process().log();
}

TEST_F(FaultMachine, Q2_AFullDiskUnderTheLogLeavesItWorking) {
  start({"sh", "-c", "exec \"$@\" 2>/dev/full", "sh"});
  apply("one");
  EXPECT_TRUE(made("one"));
  oarlockd->process().send(SIGTERM);
  EXPECT_EQ(oarlockd->process().wait(40s), 0);
}

// With one thread more each time, until it works: before that it ends, and says why.
TEST_F(FaultMachine, Q2_WithoutThreadsItEndsWithAReasonOrWorks) {
  if (under_a_sanitizer) GTEST_SKIP() << "a sanitizer needs threads of its own";
  group = std::make_unique<cgroup>("pids");
  if (!group->usable()) GTEST_SKIP() << "no pids cgroup (version 1) that this user can write";
  constexpr int threads_max = 16;
  bool works = false;
  for (int threads = 1; threads <= threads_max && !works; ++threads) {
    SCOPED_TRACE(threads);
    ASSERT_TRUE(group->write("pids.max", std::to_string(threads)));
    start({"sh", "-euc", R"(echo $$ >"$0/cgroup.procs" && exec "$@")", group->path()});
    const auto decided = [&] {
      works = oarlockd->probe("/readyz").find("readyz check passed") != std::string::npos;
      return works || !oarlockd->process().running();
    };
    ASSERT_TRUE(eventually(decided, 60s)) << "half alive\n" << oarlockd->process().log();
    if (works) break;
    EXPECT_EQ(oarlockd->process().wait(1s), 1) << oarlockd->process().log();
    EXPECT_THAT(oarlockd->process().log(), HasSubstr("Resource temporarily unavailable"));
  }
  ASSERT_TRUE(works);
  apply("one");
  EXPECT_TRUE(made("one")) << oarlockd->process().log();
}

}  // namespace
}  // namespace oarlock::testing
