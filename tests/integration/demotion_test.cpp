// A plugin that crashes the daemon from inside: whom that costs what, and where the plugin runs
// then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/zoo_plugin.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

bool made(const std::string& app) {
  return !shared_cluster().get("deployment", app, "demotion").empty();
}

class Demotion : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto& c = shared_cluster();
    c.make_namespace("demotion");
    c.must({"apply", "-f", "-"}, animals_crd());
    c.must({"wait", "--for=condition=Established", "crd/animals.zoo.example.com", "--timeout=30s"});
    make_zoo(zoo_.path());
  }
  void apply(const std::string& yaml) const {
    shared_cluster().must({"apply", "-n", "demotion", "-f", "-"}, yaml);
  }
  std::unique_ptr<daemon> start(const fs::path& state) const {
    return std::make_unique<daemon>(
        shared_cluster(),
        daemon::options{
            {"myapp", zoo_.path()},
            {"--state-dir=" + state.string(), "--leader-election-id=demotion",
             "--leader-election-lease-duration=3s", "--leader-election-renew-deadline=2s",
             "--leader-election-retry-period=500ms"},
            true,
            shared_cluster().dir() / "admin.kubeconfig"});
  }
  static bool leads(daemon& d) {
    return eventually([&] { return d.probe("/readyz").find("leading") != std::string::npos; }, 60s);
  }
  static double demoted(const daemon& d, const std::string& plugin) {
    return metric(d.metrics(), "oarlock_plugin_demoted", {"plugin=\"" + plugin + "\""});
  }

  const scratch_dir zoo_;
  const scratch_dir first_state_;
  const scratch_dir second_state_;
};

TEST_F(Demotion, AnObjectThatCrashesACorePluginCostsOneCoreCrashInAll) {
  auto first = start(first_state_.path());
  ASSERT_TRUE(leads(*first)) << first->process().log();
  auto second = start(second_state_.path());
  ASSERT_TRUE(second->wait_ready(30s)) << second->process().log();
  EXPECT_EQ(demoted(*second, "zoo"), -1) << "nobody knows of anything yet";

  apply(animal("segv"));
  EXPECT_NE(first->process().wait(30s), 0);
  // The second meets the same object, and only its child dies of it.
  ASSERT_TRUE(leads(*second)) << second->process().log();
  const std::vector<std::string> zoo{"plugin=\"zoo\""};
  EXPECT_TRUE(eventually(
      [&] { return metric(second->metrics(), "oarlock_plugin_quarantined_keys", zoo) == 1; }, 60s))
      << second->process().log();
  apply(myapp_yaml("by-the-second", 0));
  EXPECT_TRUE(eventually([] { return made("by-the-second"); }, 30s)) << second->process().log();
  EXPECT_EQ(demoted(*second, "zoo"), 1);
  EXPECT_EQ(demoted(*second, "myapp"), 1) << "whose fault it was is not known here";
  EXPECT_THAT(second->probe("/readyz"),
              HasSubstr("[+]plugin/myapp ok: in a child, as the last leader did not"));

#ifndef OARLOCK_SANITIZED  // a sanitizer leaves no record of ours
  // The first comes back and knows: that plugin goes to a child, the other does not.
  first = start(first_state_.path());
  ASSERT_TRUE(first->wait_ready(30s)) << first->process().log();
  EXPECT_THAT(first->process().log(),
              AllOf(HasSubstr("plugin crashed the daemon: it runs in a child from now on"),
                    HasSubstr("SIGSEGV in plan of demotion/segv")));
  EXPECT_EQ(demoted(*first, "zoo"), 1);
  EXPECT_EQ(demoted(*first, "myapp"), -1);
  second->process().send(SIGTERM);
  EXPECT_EQ(second->process().wait(40s), 0) << second->process().log();
  ASSERT_TRUE(leads(*first)) << first->process().log();
  EXPECT_TRUE(eventually(
      [&] { return metric(first->metrics(), "oarlock_plugin_quarantined_keys", zoo) == 1; }, 60s))
      << first->process().log();
  apply(myapp_yaml("by-the-first", 0));
  EXPECT_TRUE(eventually([] { return made("by-the-first"); }, 30s)) << first->process().log();
  EXPECT_THAT(
      first->probe("/readyz"),
      AllOf(HasSubstr("[+]plugin/zoo ok: in a child, as it crashed the daemon: SIGSEGV in plan"),
            Not(HasSubstr("plugin/myapp ok: in a child"))));
#endif
}

}  // namespace
}  // namespace oarlock::testing
