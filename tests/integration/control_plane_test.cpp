// The test kit's control plane, as a plugin project would use it: the myapp plugin on `oarlock
// run`.
#include <gtest/gtest.h>

#include "oarlock/sdk/testing/control_plane.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

namespace kit = oarlock::sdk::testing;

TEST(ControlPlane, RunsAPluginAndLeavesNothing) {
  setenv("OARLOCK_DEVCLUSTER", devcluster_tool().c_str(), 0);
  ASSERT_EQ(kit::control_plane::tool(), devcluster_tool().string());
  std::filesystem::path folder;
  {
    kit::control_plane cluster;
    folder = cluster.folder();
    cluster.must({"apply", "-f", source_dir() / "plugins/myapp/crds"});
    cluster.must({"wait", "--for=condition=Established", "crd/myapps.example.com"});
    kit::background_command run(
        {built("bin/oarlock"), "run", built("plugins/myapp"), "--kubeconfig", cluster.kubeconfig()},
        folder / "log");
    cluster.must({"apply", "-f", "-"}, myapp_yaml("web", 2));
    const auto made = cluster.kubectl({"wait", "--for=create", "deployment/web", "--timeout=60s"});
    EXPECT_EQ(made.exit_code, 0) << made.output << run.log();
    const auto no = cluster.kubectl({"get", "deployment", "no-such-thing"});
    EXPECT_EQ(no.exit_code, 1);
    EXPECT_NE(no.output.find("NotFound"), std::string::npos) << no.output;
    EXPECT_THROW((void)cluster.must({"get", "no-such-kind"}), std::runtime_error);
    EXPECT_EQ(run.stop(), 0) << run.log();
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST(ControlPlane, CommandsHaveDeadlinesAndExitCodes) {
  EXPECT_EQ(kit::run_command({"sh", "-c", "cat; exit 3"}, "fed").output, "fed");
  EXPECT_EQ(kit::run_command({"sh", "-c", "cat; exit 3"}).exit_code, 3);
  EXPECT_EQ(kit::run_command({"sh", "-c", "kill -9 $$"}).exit_code, 137);
  EXPECT_EQ(kit::run_command({"sleep", "60"}, {}, std::chrono::seconds(0)).exit_code, 124);
  EXPECT_THROW((void)kit::run_command({"/no/such/program"}), std::runtime_error);
}

}  // namespace
}  // namespace oarlock::testing
