// What a user of MyApp sees, as far as it needs no pods: children, ownership, repair, scale,
// sharing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// Asks kubectl until a field has the wanted value.
::testing::AssertionResult becomes(const std::string& what, const std::string& name,
                                   const std::string& ns, const std::string& path,
                                   const std::string& wanted, std::chrono::seconds limit = 20s) {
  std::string found;
  const bool ok = eventually(
      [&] {
        found = shared_cluster().field(what, name, ns, path);
        return found == wanted;
      },
      limit);
  if (ok) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << what << " " << name << " " << path << ": expected " << wanted << ", found " << found;
}

class Walkthrough : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_cluster().make_namespace("walk");
    daemon::options with_socket;
    with_socket.flags = {"--debug-socket=" + debug_socket().string()};
    oarlockd = std::make_unique<daemon>(shared_cluster(), with_socket);
    ASSERT_TRUE(oarlockd->wait_ready(30s)) << oarlockd->process().log();
  }
  static void TearDownTestSuite() {
    oarlockd->process().send(SIGTERM);
    EXPECT_EQ(oarlockd->process().wait(40s), 0) << oarlockd->process().log();
    oarlockd.reset();
  }
  static std::string apply(const std::string& yaml) {
    return shared_cluster().must({"apply", "-n", "walk", "-f", "-"}, yaml);
  }
  static std::filesystem::path debug_socket() { return shared_cluster().dir() / "debug.sock"; }
  static inline std::unique_ptr<daemon> oarlockd;
};

TEST_F(Walkthrough, ApplyMakesADeploymentThatTheMyAppOwns) {
  EXPECT_EQ(apply(myapp_yaml("made", 3)), "myapp.example.com/made created\n");
  ASSERT_TRUE(becomes("deployment", "made", "walk", ".spec.replicas", "3"));
  const auto uid = shared_cluster().field("myapp", "made", "walk", ".metadata.uid");
  ASSERT_FALSE(uid.empty());
  const std::string owner = ".metadata.ownerReferences[0]";
  EXPECT_TRUE(becomes("deployment", "made", "walk", owner + ".uid", uid));
  EXPECT_TRUE(becomes("deployment", "made", "walk", owner + ".controller", "true"));
  EXPECT_TRUE(becomes("deployment", "made", "walk", owner + ".blockOwnerDeletion", "true"));
  EXPECT_TRUE(becomes("deployment", "made", "walk", ".spec.template.metadata.labels.app", "made"));
  EXPECT_TRUE(becomes("deployment", "made", "walk", ".spec.template.spec.containers[0].image",
                      "myapp:latest"));
  EXPECT_TRUE(becomes("myapp", "made", "walk", ".status.observedGeneration", "1"));
  EXPECT_TRUE(
      becomes("myapp", "made", "walk", ".status.conditions[?(@.type==\"Ready\")].status", "False"));
}

TEST_F(Walkthrough, ChangesReachTheDeployment) {
  apply(myapp_yaml("changed", 1));
  ASSERT_TRUE(becomes("deployment", "changed", "walk", ".spec.replicas", "1"));
  EXPECT_EQ(apply(myapp_yaml("changed", 5, "myapp:v2")), "myapp.example.com/changed configured\n");
  EXPECT_TRUE(becomes("deployment", "changed", "walk", ".spec.replicas", "5"));
  EXPECT_TRUE(becomes("deployment", "changed", "walk", ".spec.template.spec.containers[0].image",
                      "myapp:v2"));
  shared_cluster().must({"scale", "myapp", "changed", "-n", "walk", "--replicas=2"});
  EXPECT_TRUE(becomes("deployment", "changed", "walk", ".spec.replicas", "2"));
  EXPECT_TRUE(becomes("myapp", "changed", "walk", ".status.observedGeneration", "3"));
}

TEST_F(Walkthrough, ReplicasZeroIsReady) {
  apply(myapp_yaml("zero", 0));
  EXPECT_TRUE(
      becomes("myapp", "zero", "walk", ".status.conditions[?(@.type==\"Ready\")].status", "True"));
}

TEST_F(Walkthrough, EditsAndDeletionsByHandAreUndone) {
  apply(myapp_yaml("edited", 2));
  ASSERT_TRUE(becomes("deployment", "edited", "walk", ".spec.replicas", "2"));
  shared_cluster().must({"scale", "deployment", "edited", "-n", "walk", "--replicas=7"});
  EXPECT_TRUE(becomes("deployment", "edited", "walk", ".spec.replicas", "2"));
  const auto before = shared_cluster().field("deployment", "edited", "walk", ".metadata.uid");
  shared_cluster().must({"delete", "deployment", "edited", "-n", "walk"});
  EXPECT_TRUE(eventually(
      [&] {
        const auto now = shared_cluster().field("deployment", "edited", "walk", ".metadata.uid");
        return !now.empty() && now != before;
      },
      20s));
}

TEST_F(Walkthrough, APausedObjectIsLeftAloneUntilItIsNot) {
  const std::string paused = ".status.conditions[?(@.type==\"Paused\")].status";
  const std::string annotation = "oarlock.dev/paused";
  apply(myapp_yaml("paused", 1));
  ASSERT_TRUE(becomes("deployment", "paused", "walk", ".spec.replicas", "1"));
  shared_cluster().must({"annotate", "myapp", "paused", "-n", "walk", annotation + "=true"});
  ASSERT_TRUE(becomes("myapp", "paused", "walk", paused, "True"));
  shared_cluster().must({"scale", "myapp", "paused", "-n", "walk", "--replicas=4"});
  // Something else that is changed after it and is carried out: its turn was before that.
  apply(myapp_yaml("after-paused", 1));
  ASSERT_TRUE(becomes("deployment", "after-paused", "walk", ".spec.replicas", "1"));
  EXPECT_EQ(shared_cluster().field("deployment", "paused", "walk", ".spec.replicas"), "1");
  shared_cluster().must({"annotate", "myapp", "paused", "-n", "walk", annotation + "-"});
  EXPECT_TRUE(becomes("deployment", "paused", "walk", ".spec.replicas", "4"));
  EXPECT_TRUE(becomes("myapp", "paused", "walk", paused, ""));
}

TEST_F(Walkthrough, DeletionTakesTheDeploymentAlong) {
  apply(myapp_yaml("gone", 1));
  ASSERT_TRUE(becomes("deployment", "gone", "walk", ".spec.replicas", "1"));
  shared_cluster().must({"delete", "myapp", "gone", "-n", "walk"});
  // The garbage collector learns of a new kind when it looks for some, every 30 s, and then syncs.
  EXPECT_TRUE(
      eventually([] { return shared_cluster().get("deployment", "gone", "walk").empty(); }, 90s));
}

TEST_F(Walkthrough, AStrangersDeploymentIsLeftAlone) {
  shared_cluster().must(
      {"create", "deployment", "taken", "-n", "walk", "--image=other:1", "--replicas=1"});
  apply(myapp_yaml("taken", 3));
  EXPECT_TRUE(becomes("myapp", "taken", "walk", ".status.conditions[?(@.type==\"Stalled\")].reason",
                      "NameTaken"));
  EXPECT_TRUE(becomes("myapp", "taken", "walk", ".status.conditions[?(@.type==\"Stalled\")].status",
                      "True"));
  EXPECT_EQ(shared_cluster().field("deployment", "taken", "walk", ".spec.replicas"), "1");
  EXPECT_EQ(shared_cluster().field("deployment", "taken", "walk", ".metadata.ownerReferences"), "");
}

TEST_F(Walkthrough, DescribeShowsEvents) {
  apply(myapp_yaml("told", 1));
  ASSERT_TRUE(becomes("deployment", "told", "walk", ".spec.replicas", "1"));
  std::string text;
  EXPECT_TRUE(eventually(
      [&] {
        text = shared_cluster().must({"describe", "myapp", "told", "-n", "walk"});
        return text.find("Created Deployment walk/told") != std::string::npos;
      },
      20s))
      << text;
}

TEST_F(Walkthrough, MetricsCarryThePlugin) {
  apply(myapp_yaml("measured", 0));
  ASSERT_TRUE(becomes("deployment", "measured", "walk", ".spec.replicas", "0"));
  const auto text = oarlockd->metrics();
  const std::vector<std::string> mine{"plugin=\"myapp\""};
  EXPECT_GT(metric(text, "controller_runtime_reconcile_total",
                   {"plugin=\"myapp\"", "result=\"success\""}),
            0);
  EXPECT_GE(metric(text, "controller_runtime_reconcile_errors_total", mine), 0);
  EXPECT_GT(metric(text, "controller_runtime_reconcile_time_seconds_count", mine), 0);
  EXPECT_GE(metric(text, "workqueue_depth", mine), 0);
  EXPECT_GT(metric(text, "oarlock_plugin_cache_objects",
                   {"plugin=\"myapp\"", "resource=\"myapps.example.com\""}),
            0);
}

TEST_F(Walkthrough, TheDebugSocketShowsQueuesAndCaches) {
  apply(myapp_yaml("dumped", 0));
  ASSERT_TRUE(becomes("deployment", "dumped", "walk", ".spec.replicas", "0"));
  const auto shown =
      run({built("bin/oarlock"), "debug", "dump", "--socket", debug_socket().string()});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  for (const auto* part : {"\"controller\": \"myapp\"", "\"leading\": true", "\"synced\": true",
                           "\"resource\": \"deployments.apps\"", "\"resourceVersion\": \""}) {
    EXPECT_THAT(shown.out, HasSubstr(part));
  }
  const auto refused = run({built("bin/oarlock"), "debug", "dump", "--socket", "/nowhere"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("expected an oarlockd with --debug-socket=/nowhere"));
}

TEST_F(Walkthrough, AHangupReadsTheConfigurationAgain) {
  oarlockd->process().send(SIGHUP);
  EXPECT_TRUE(eventually(
      [] {
        return oarlockd->process().log().find("configuration read again") != std::string::npos;
      },
      20s));
  EXPECT_TRUE(oarlockd->process().running());
}

TEST_F(Walkthrough, ExplainAndColumnsAreUseful) {
  const auto explained = shared_cluster().must({"explain", "myapp.spec"});
  EXPECT_THAT(explained, HasSubstr("replicas"));
  EXPECT_THAT(explained, HasSubstr("image"));
  apply(myapp_yaml("shown", 0));
  const auto table = shared_cluster().must({"get", "myapp", "-n", "walk"});
  EXPECT_TRUE(::testing::internal::RE::PartialMatch(
      table, ::testing::internal::RE("^NAME +AGE +REPLICAS +IMAGE\n")))
      << table;
}

TEST(SharedCache, TwoPluginsShareOneWatchOnDeployments) {
  const auto watches = [] {
    const auto text = shared_cluster().must({"get", "--raw", "/metrics"});
    return metric(text, "apiserver_longrunning_requests",
                  {"resource=\"deployments\"", "verb=\"WATCH\""});
  };
  const auto others = std::max(watches(), 0.0);
  daemon both(shared_cluster(), {{"myapp", test_plugin("observer")}, {}, false, {}});
  ASSERT_TRUE(both.wait_ready(30s)) << both.process().log() << both.probe("/readyz");
  EXPECT_TRUE(eventually([&] { return watches() == others + 1; }, 10s))
      << "before: " << others << ", now: " << watches();
  EXPECT_EQ(metric(both.metrics(), "oarlock_plugin_loaded", {"plugin=\"observer\""}), 1);
  const std::string deployments = "resource=\"deployments.apps\"";
  EXPECT_TRUE(eventually(
      [&] {
        const auto text = both.metrics();
        const auto bytes = metric(text, "oarlock_cache_bytes", {deployments});
        const auto told = [&](const char* plugin) {
          return metric(text, "oarlock_plugin_cache_bytes", {plugin, deployments});
        };
        return bytes >= 0 && told("plugin=\"myapp\"") == bytes &&
               told("plugin=\"observer\"") == bytes;
      },
      30s))
      << "what is there once counts for each that asked\n"
      << both.metrics();
}

}  // namespace
}  // namespace oarlock::testing
