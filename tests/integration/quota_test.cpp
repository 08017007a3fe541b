// Quotas of plugins in a real daemon: who goes over one is stopped by name, and nobody else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

// The observer, told to look at ConfigMaps: a kind that nobody else here watches.
void make_hoarder(const fs::path& folder) {
  fs::copy_file(test_plugin("observer") / "libobserver.so", folder / "libobserver.so");
  std::ifstream in(test_plugin("observer") / "plugin.yaml");
  std::string text(std::istreambuf_iterator<char>(in), {});
  const std::string was = "{apiVersion: apps/v1, kind: Deployment, plural: deployments}";
  const auto at = text.find(was);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, was.size(), "{apiVersion: v1, kind: ConfigMap, plural: configmaps}");
  std::ofstream(folder / "plugin.yaml") << text;
}

std::string large_maps(int count, std::size_t bytes) {
  std::string yaml;
  for (int i = 0; i < count; ++i) {
    yaml += "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: large-" + std::to_string(i) +
            "}\ndata: {text: " + std::string(bytes, 'x') + "}\n";
  }
  return yaml;
}

TEST(Quotas, APluginThatWatchesTooMuchIsStoppedAndTheOthersGoOn) {
  auto& c = shared_cluster();
  c.make_namespace("quota");
  // Server-side: kubectl's own annotation would double them.
  c.must({"apply", "--server-side", "-n", "quota", "-f", "-"}, large_maps(8, 100'000));
  const scratch_dir folder;
  make_hoarder(folder.path());
  const auto granted = run({built("bin/oarlock"), "plugin", "manifest", folder.path(),
                            "--plugin-identity=daemon", "--daemon-user=oarlock"});
  ASSERT_EQ(granted.exit_code, 0) << granted.err;
  c.must({"apply", "-f", "-"}, granted.out);
  const auto config = (folder.path() / "config.yaml").string();
  const auto set_quota = [&](const std::string& bytes) {
    std::ofstream(config) << "plugin-quota: [\"*:cache-bytes=1Gi\", \"observer:cache-bytes="
                          << bytes << "\"]\n";
  };
  set_quota("512Ki");
  daemon d(c, {{"myapp", folder.path()}, {"--config=" + config}, false, {}});
  ASSERT_TRUE(d.wait_ready(30s)) << d.probe("/readyz") << d.process().log();
  std::string ready;
  EXPECT_TRUE(eventually(
      [&] {
        ready = d.probe("/readyz");
        return ready.find("quota cache-bytes=524288") != std::string::npos;
      },
      30s))
      << ready << d.process().log();
  EXPECT_THAT(ready, HasSubstr("expected plugin observer to stay below its quota"));
  const auto page = d.metrics();
  EXPECT_EQ(metric(page, "oarlock_plugin_over_quota_total",
                   {"plugin=\"observer\"", "quota=\"cache-bytes\""}),
            1);
  EXPECT_EQ(metric(page, "oarlock_plugin_over_quota_total",
                   {"plugin=\"myapp\"", "quota=\"cache-bytes\""}),
            -1);
  // It is said first, and then let go.
  EXPECT_TRUE(eventually(
      [&] { return metric(d.metrics(), "oarlock_cache_bytes", {"resource=\"configmaps\""}) == 0; },
      30s))
      << "what it held is gone";
  EXPECT_THAT(d.process().log(), HasSubstr("plugin is over its quota and stopped"));

  c.must({"apply", "-n", "quota", "-f", "-"}, myapp_yaml("beside", 0));
  EXPECT_TRUE(eventually([&] { return !c.get("deployment", "beside", "quota").empty(); }, 30s))
      << d.process().log();

  // More room, without a restart.
  set_quota("16Mi");
  d.process().send(SIGHUP);
  EXPECT_TRUE(eventually(
      [&] {
        return metric(d.metrics(), "oarlock_cache_objects", {"resource=\"configmaps\""}) >= 8 &&
               d.probe("/readyz").find("quota") == std::string::npos;
      },
      30s))
      << d.probe("/readyz") << d.process().log();
  EXPECT_EQ(metric(d.metrics(), "oarlock_plugin_upgrades_total",
                   {"plugin=\"myapp\"", "result=\"switched\""}),
            -1)
      << "nothing was said about it";
  d.process().send(SIGTERM);
  EXPECT_EQ(d.process().wait(40s), 0) << d.process().log();
}

}  // namespace
}  // namespace oarlock::testing
