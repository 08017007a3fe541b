// The API server is frozen and then replaced by one on an older copy of etcd, as after a restored
// backup: the cache takes the older history as a new epoch, and nothing is destroyed over it.
#include <gmock/gmock.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

// Longer than a watch without a sign of life is believed (reflector_limits::silence).
constexpr auto freeze = 125s;
constexpr const char* primaries = R"(resource="myapps.example.com")";
constexpr const char* ns = "rewind";

class rewound_cluster : public ::testing::Test {
 protected:
  cluster& c = shared_cluster();
  const std::filesystem::path data = c.dir() / "cluster/etcd";
  const std::filesystem::path backup = c.dir() / "etcd-backup";

  void stop_servers() {
    for (const auto* name : {"kube-controller-manager", "kube-apiserver", "etcd"})
      c.component("stop", name);
  }
  void start_servers() {
    for (const auto* name : {"etcd", "kube-apiserver", "kube-controller-manager"})
      c.component("start", name);
  }
  void take_backup() {
    stop_servers();
    std::filesystem::copy(data, backup, std::filesystem::copy_options::recursive);
    start_servers();
  }
  void restore_backup() {
    stop_servers();
    std::filesystem::remove_all(data);
    std::filesystem::rename(backup, data);
    start_servers();
  }
  bool has_replicas(const std::string& name, const std::string& count) {
    return eventually([&] { return c.field("deployment", name, ns, ".spec.replicas") == count; },
                      60s);
  }
};

TEST_F(rewound_cluster, IsANewEpochThatDestroysNothing) {
  c.make_namespace(ns);
  daemon d(c, {});
  ASSERT_TRUE(d.wait_ready(30s)) << d.process().log();
  c.must({"apply", "-n", ns, "-f", "-"}, myapp_yaml("web", 2));
  ASSERT_TRUE(has_replicas("web", "2"));
  take_backup();
  ASSERT_TRUE(d.wait_ready(60s)) << d.probe("/readyz");
  c.must({"scale", "myapp", "web", "-n", ns, "--replicas=5"});
  c.must({"apply", "-n", ns, "-f", "-"}, myapp_yaml("later", 0));
  ASSERT_TRUE(has_replicas("web", "5"));
  ASSERT_TRUE(has_replicas("later", "0"));
  EXPECT_LE(metric(d.metrics(), "oarlock_cache_rewinds_total", {primaries}), 0)
      << "an outage is no rewind";

  c.component("pause", "kube-apiserver");
  std::this_thread::sleep_for(freeze);
  EXPECT_EQ(metric(d.metrics(), "oarlock_cache_objects", {primaries}), 2) << "nothing was lost";
  const auto from = c.audit_lines();
  restore_backup();
  EXPECT_TRUE(eventually(
      [&] { return metric(d.metrics(), "oarlock_cache_rewinds_total", {primaries}) == 1; }, 240s))
      << d.process().log();
  EXPECT_TRUE(eventually(
      [&] { return metric(d.metrics(), "oarlock_cache_objects", {primaries}) == 1; }, 30s));
  EXPECT_NE(d.process().log().find("history rewound"), std::string::npos);
  EXPECT_EQ(c.field("deployment", "web", ns, ".spec.replicas"), "2");

  c.must({"scale", "myapp", "web", "-n", ns, "--replicas=3"});
  EXPECT_TRUE(has_replicas("web", "3")) << "life goes on in the new history\n" << d.process().log();
  ASSERT_TRUE(d.wait_ready(60s)) << d.probe("/readyz");
  std::this_thread::sleep_for(5s);  // the audit log is written behind the answers
  std::vector<std::string> deployment_writes;
  for (const auto& write : c.writes("oarlock", from)) {
    EXPECT_EQ(write.find("delete"), std::string::npos) << write;
    if (write.find(" deployments ") != std::string::npos) deployment_writes.push_back(write);
  }
  EXPECT_THAT(deployment_writes, ::testing::SizeIs(1))
      << "only what the user asked for in the new history\n"
      << d.process().log();
}

}  // namespace
}  // namespace oarlock::testing
