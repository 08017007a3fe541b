// Rows L1 to L3 of docs/fault-catalogue.md against the whole daemon: a plugin that does its worst
// in a child, with another plugin beside it; and one that ends the daemon, which says who it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/fault_subject.hpp"
#include "tests/integration/zoo_plugin.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Zoo : public ::testing::Test {
 protected:
  Zoo() {
    fs::create_directories(plugin_);
    make_zoo(plugin_);
    c_.must({"apply", "-f", "-"}, animals_crd());
    c_.must({"wait", "--for=condition=Established", "crd/animals.zoo.example.com"});
    c_.make_namespace(ns_);
  }
  static std::string next_namespace() {
    static int count = 0;
    return "zoo-" + std::to_string(++count);
  }
  cluster& c_ = shared_cluster();
  const std::string ns_ = next_namespace();
  scratch_dir dir_;
  const fs::path plugin_ = dir_.path() / "zoo";
};

TEST_F(Zoo, L2_NothingThatItDoesInAChildReachesOthers) {
  daemon d(c_, {{"myapp", plugin_.string()},
                {"--plugin-home=child", "--namespace=" + ns_},
                false,
                admin_kubeconfig()});
  ASSERT_TRUE(d.wait_ready(60s)) << d.process().log();
  const std::vector<std::string> deadly{"overflow", "exit"};
  std::string all;
  for (const auto& name : deadly)
    all += animal(name);
  for (const char* name : {"flood-log", "read-token", "signal-parent", "metadata", "fork"})
    all += animal(name);
  c_.must({"apply", "-n", ns_, "-f", "-"}, all);
  // What others want meanwhile.
  for (int i = 0; i < 10; ++i) {
    const auto name = "app-" + std::to_string(i);
    c_.must({"apply", "-n", ns_, "-f", "-"}, myapp_yaml(name, 0));
    EXPECT_THAT(d.probe("/healthz"), HasSubstr("healthz check passed"));
  }
  EXPECT_TRUE(eventually([&] { return c_.fields("deployment", ns_).size() == 10; }, 30s))
      << d.process().log();

  const std::vector<std::string> zoo{"plugin=\"zoo\""};
  EXPECT_TRUE(eventually(
      [&] { return metric(d.metrics(), "oarlock_plugin_quarantined_keys", zoo) == 2; }, 60s))
      << d.process().log();
  const auto reason = [&](const std::string& name) {
    return c_.field("animal", name, ns_, ".status.conditions[?(@.type==\"Stalled\")].reason");
  };
  for (const auto& name : deadly)
    EXPECT_TRUE(eventually([&] { return reason(name) == "PluginCrashed"; }, 30s)) << name;
  for (const char* name : {"read-token", "signal-parent", "metadata", "fork"})
    EXPECT_TRUE(eventually([&] { return reason(name) == "Tried"; }, 30s)) << name;
  // The record of a crash is in an event of its object, and in the log.
  const auto how = [&] {
    return c_.must({"get", "events", "-n", ns_, "-o",
                    "jsonpath={range .items[?(@.reason==\"PluginCrashed\")]}"
                    "{.involvedObject.name} {.message}{\"\\n\"}{end}"});
  };
  EXPECT_TRUE(eventually(
      [&] {
        return how().find("overflow plan: a plan for this object ended the plugin's process") !=
               std::string::npos;
      },
      30s))
      << how();
  EXPECT_THAT(d.process().log(), HasSubstr("plugin's child ended during a call"));
  const auto text = d.metrics();
  EXPECT_EQ(metric(text, "oarlock_plugin_child_restarts_total", {"plugin=\"myapp\""}), 0);
  EXPECT_GE(metric(text, "oarlock_plugin_child_restarts_total", zoo), 5);
  d.process().send(SIGTERM);
  EXPECT_EQ(d.process().wait(60s), 0);
}

TEST_F(Zoo, L1_APlanThatHangsInTheCoreIsToldWithItsStack) {
  std::ofstream(plugin_ / "plugin.yaml", std::ios::app) << "      reconcileTimeoutSeconds: 1\n";
  daemon d(c_, {{plugin_.string()}, {"--namespace=" + ns_}, false, admin_kubeconfig()});
  ASSERT_TRUE(d.wait_ready(60s)) << d.process().log();
#ifdef OARLOCK_SANITIZED
  const std::vector<std::string> hanging{"hang-asleep"};  // theirs wait for a call of the system's
#else
  const std::vector<std::string> hanging{"hang-asleep", "hang"};
#endif
  const auto message = [&](const std::string& name) {
    return c_.field("animal", name, ns_, ".status.conditions[?(@.type==\"Reconciling\")].message");
  };
  const std::string told =
      "plan: expected a reconcile to end within 1 s, found plan() still running at libzoo.so+0x";
  for (const auto& name : hanging) {
    c_.must({"apply", "-n", ns_, "-f", "-"}, animal(name));
    EXPECT_TRUE(eventually([&] { return message(name).starts_with(told); }, 30s))
        << message(name) << d.process().log();
    EXPECT_THAT(d.probe("/readyz"),
                ::testing::ContainsRegex("plan of " + ns_ + "/" + name +
                                         " has not returned for [0-9]+ s at libzoo.so\\+0x"));
  }
  EXPECT_THAT(d.process().log(), ::testing::ContainsRegex("past its deadline.*plan at libzoo.so"));
  d.process().send(SIGKILL);  // the drain would wait for them
  EXPECT_NE(d.process().wait(30s), 0);
}

TEST_F(Zoo, L3_AnEventSourceThatFloodsIsCappedAndNamed) {
  make_zoo(plugin_, "restless");
  c_.make_namespace("shop");
  c_.must({"apply", "-n", "shop", "-f", "-"}, animal("told"));
  daemon d(c_, {{"myapp", plugin_.string()},
                {"--plugin-home=myapp:core,zoo:child", "--namespace=shop"},
                false,
                admin_kubeconfig()});
  ASSERT_TRUE(d.wait_ready(60s)) << d.process().log();
  // Nobody changes it, and it is planned again and again.
  const std::vector<std::string> of_zoo{"controller=\"zoo\"", "result=\"success\""};
  EXPECT_TRUE(eventually(
      [&] { return metric(d.metrics(), "controller_runtime_reconcile_total", of_zoo) >= 3; }, 30s))
      << d.process().log();
  EXPECT_EQ(c_.field("animal", "told", "shop", ".status.conditions[?(@.type==\"Told\")].message"),
            "3 3 3 0");
  const std::vector<std::string> quota{"plugin=\"zoo\"", "quota=\"enqueues-per-second\""};
  EXPECT_TRUE(eventually(
      [&] { return metric(d.metrics(), "oarlock_plugin_over_quota_total", quota) > 0; }, 30s));
  EXPECT_THAT(d.process().log(), HasSubstr("what its event sources enqueue waits"));
  c_.must({"apply", "-n", "shop", "-f", "-"}, myapp_yaml("beside", 0));
  EXPECT_TRUE(eventually([&] { return !c_.get("deployment", "beside", "shop").empty(); }, 30s))
      << d.process().log();
  EXPECT_THAT(d.probe("/healthz"), HasSubstr("healthz check passed"));
  d.process().send(SIGTERM);
  EXPECT_EQ(d.process().wait(60s), 0);
}

TEST_F(Zoo, L2_ACrashInTheCoreLeavesARecordOfWhoItWas) {
  scratch_dir state;
  daemon d(c_, {{plugin_.string()},
                {"--namespace=" + ns_, "--state-dir=" + state.path().string()},
                false,
                admin_kubeconfig()});
  ASSERT_TRUE(d.wait_ready(60s)) << d.process().log();
  c_.must({"apply", "-n", ns_, "-f", "-"}, animal("segv"));
  ASSERT_NE(d.process().wait(30s), 0);
#ifdef OARLOCK_SANITIZED
  GTEST_SKIP() << "sanitizers have a handler of their own";
#endif
  std::ifstream in(state.path() / "last-crash.log");
  const std::string record{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(record, AllOf(HasSubstr("SIGSEGV"),
                            HasSubstr("plugin: zoo 1.0.0 SIGSEGV in plan of " + ns_ + "/segv\n"),
                            HasSubstr((plugin_ / "libzoo.so").string() + " sha256 ")));
}

}  // namespace
}  // namespace oarlock::testing
