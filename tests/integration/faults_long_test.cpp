// Rows of docs/fault-catalogue.md that wait for minutes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::UnorderedElementsAre;

// The check looks again after a minute and a half before it believes what it saw.
TEST(FaultLong, V9_AnEventLostForGoodIsRepairedByTheCheck) {
  const std::string ns = "v9";
  shared_cluster().make_namespace(ns);
  put_config_map(ns, "a", "1");
  put_config_map(ns, "b", "1");
  fault_gate gate_(admin_kubeconfig());
  gate_.add(no_streaming(maps_path(ns)));
  const auto lose = [](const std::string& line) {
    const bool lost = line.find(R"("v":"lost")") != std::string::npos ||
                      line.find(R"("type":"DELETED")") != std::string::npos;
    return lost ? std::vector<std::string>{} : std::vector<std::string>{line};
  };
  gate_.add(on_watch(maps_path(ns), gate::edit(lose), 0));
  fault_subject subject(gate_.kubeconfig(), 5s);
  const auto& view = subject.follow(ns);
  put_config_map(ns, "a", "lost");
  shared_cluster().must({"delete", "configmap", "b", "-n", ns});
  put_config_map(ns, "c", "1");
  ASSERT_TRUE(eventually([&] { return data_in(view, ns, "c") == "1"; }, 60s));
  EXPECT_EQ(data_in(view, ns, "a"), "1") << "nobody knows yet";
  EXPECT_TRUE(eventually([&] { return data_in(view, ns, "a") == "lost"; }, 240s));
  EXPECT_EQ(data_in(view, ns, "b"), "-");
  EXPECT_EQ(subject.counted("oarlock_cache_inconsistencies_total"), 2);
  EXPECT_THAT(subject.story(), UnorderedElementsAre("+a", "+b", "+c", "~a", "-b"));
}

// The thread of `pid` with that name; 0: there is none.
pid_t thread_of(pid_t pid, const std::string& name) {
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream in(task.path() / "comm");
    std::string comm;
    if (std::getline(in, comm) && comm == name) return std::stoi(task.path().filename().string());
  }
  return 0;
}

// A debugger stops one thread, and the others go on.
TEST(FaultLong, ALoopThatStandsStillMakesHealthzRedAndIsNamed) {
  daemon oarlockd(shared_cluster(), {});
  ASSERT_TRUE(oarlockd.wait_ready(60s)) << oarlockd.process().log();
  const auto thread = thread_of(oarlockd.process().pid(), "oarlock-stream");
  ASSERT_GT(thread, 0);
  if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) {
    GTEST_SKIP() << "this user may not trace its own processes";
  }
  ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr), 0);
  ASSERT_EQ(::waitpid(thread, nullptr, __WALL), thread);
  const auto health = [&] { return oarlockd.probe("/healthz"); };
  EXPECT_THAT(health(), ::testing::HasSubstr("healthz check passed"));
  EXPECT_TRUE(
      eventually([&] { return health().find("healthz check failed") != std::string::npos; }, 90s));
  EXPECT_THAT(health(), ::testing::HasSubstr("[-]stream-loop failed: expected the loop "
                                             "oarlock-stream to answer within 30 s"));
  EXPECT_TRUE(eventually(
      [&] { return oarlockd.process().log().find("a loop does not turn") != std::string::npos; },
      30s));
  ASSERT_EQ(::ptrace(PTRACE_DETACH, thread, nullptr, nullptr), 0);
  EXPECT_TRUE(
      eventually([&] { return health().find("healthz check passed") != std::string::npos; }, 60s));
}

}  // namespace
}  // namespace oarlock::testing
