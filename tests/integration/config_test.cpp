// What an administrator configures for a plugin, in a real daemon: a mistake is told with its place
// and keeps nobody else from running; what is put right or changed is taken over while it runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "tests/integration/fault_subject.hpp"
#include "tests/integration/zoo_plugin.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(PluginConfiguration, IsCheckedFirstAndTakenOverWhileTheDaemonRuns) {
  auto& c = shared_cluster();
  c.must({"apply", "-f", "-"}, animals_crd());
  c.must({"wait", "--for=condition=Established", "crd/animals.zoo.example.com"});
  c.make_namespace("configured");
  c.must({"apply", "-n", "configured", "-f", "-"}, animal("cat"));
  const scratch_dir plugin;
  make_zoo(plugin.path(), "configured",
           "{type: object, properties: {crew: {type: integer, minimum: 1, default: 3},\n"
           "    name: {type: string}}}");
  const scratch_dir folder;
  const auto file = (folder.path() / "zoo.yaml").string();
  const auto configure = [&](const std::string& yaml) { std::ofstream(file) << yaml; };
  configure("name: x\ncrew: 0\n");
  daemon d(c, {{"myapp", plugin.path()},
               {"--plugin-config=zoo=" + file, "--namespace=configured"},
               false,
               admin_kubeconfig()});
  ASSERT_TRUE(d.wait_ready(30s)) << d.probe("/readyz") << d.process().log();
  const std::string why = file + ":2:7: expected crew to be an integer of at least 1, found 0";
  EXPECT_THAT(d.probe("/readyz"), HasSubstr(why)) << "myapp is ready, and zoo says why it is not";
  EXPECT_EQ(metric(d.metrics(), "oarlock_plugin_load_failures_total", {"reason=\"bad_config\""}),
            1);

  const auto crew = [&] { return c.field("animal", "cat", "configured", ".status.crew"); };
  const auto becomes = [&](const std::string& yaml, const char* expected) {
    configure(yaml);
    d.process().send(SIGHUP);
    EXPECT_TRUE(eventually([&] { return crew() == expected; }, 30s))
        << crew() << d.probe("/readyz") << d.process().log();
  };
  becomes("name: x\n", "3");
  becomes("crew: 5\n", "5");
  EXPECT_EQ(metric(d.metrics(), "oarlock_plugin_upgrades_total",
                   {"plugin=\"zoo\"", "result=\"switched\""}),
            1);

  configure("crew: many\n");
  d.process().send(SIGHUP);
  EXPECT_TRUE(eventually(
      [&] { return d.probe("/readyz").find("expected crew to be") != std::string::npos; }, 30s))
      << d.probe("/readyz");
  c.must({"apply", "-n", "configured", "-f", "-"}, animal("dog"));
  EXPECT_TRUE(eventually(
      [&] { return c.field("animal", "dog", "configured", ".status.crew") == "5"; }, 30s))
      << "the one that runs goes on as it was configured" << d.process().log();
  d.process().send(SIGTERM);
  EXPECT_EQ(d.process().wait(40s), 0) << d.process().log();
}

}  // namespace
}  // namespace oarlock::testing
