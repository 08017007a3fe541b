// Plugins in children of the daemon: a child that is killed comes back, and nobody misses a change.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "tests/integration/changes.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

// The child that a plugin has now, as the log says; 0 when there is none yet.
pid_t child_of(daemon& d, const std::string& plugin) {
  const auto log = d.process().log();
  const std::string mark = "\"plugin\":\"" + plugin + "\",\"pid\":";
  const auto at = log.rfind(mark);
  return at == std::string::npos ? 0 : std::stoi(log.substr(at + mark.size()));
}

// Ended, even if who inherited it has not asked how.
bool is_gone(pid_t pid) {
  std::string line;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), line);
  return line.empty() || line.find(") Z ") != std::string::npos;
}

std::string ten_apps(int round) {
  std::string yaml;
  for (int i = 0; i < 10; ++i)
    yaml += "---\n" + myapp_yaml("app-" + std::to_string(round * 10 + i), 0);
  return yaml;
}

TEST(ChildHome, AKilledChildComesBackAndNobodyMissesAChange) {
  auto& c = shared_cluster();
  c.make_namespace("child");
  daemon d(c, {{"myapp", test_plugin("observer")}, {"--plugin-home=child"}, false, {}});
  ASSERT_TRUE(d.wait_ready(30s)) << d.process().log();
  pid_t killed = 0;
  constexpr int rounds = 3;
  for (int round = 0; round < rounds; ++round) {
    ASSERT_TRUE(eventually([&] { return child_of(d, "observer") != killed; }, 20s));
    killed = child_of(d, "observer");
    ASSERT_EQ(::kill(killed, SIGSEGV), 0);
    c.must({"apply", "-n", "child", "-f", "-"}, ten_apps(round));
  }
  EXPECT_TRUE(
      eventually([&] { return c.fields("deployment", "child").size() == rounds * 10; }, 30s))
      << d.process().log();
  const std::vector<std::string> observer{"plugin=\"observer\""};
  EXPECT_TRUE(eventually(
      [&] { return metric(d.metrics(), "oarlock_plugin_child_up", observer) == 1; }, 20s));
  const auto text = d.metrics();
  EXPECT_EQ(metric(text, "oarlock_plugin_child_restarts_total", observer), rounds);
  EXPECT_EQ(metric(text, "oarlock_plugin_child_restarts_total", {"plugin=\"myapp\""}), 0);
  EXPECT_EQ(metric(text, "oarlock_plugin_quarantined_keys", observer), 0);

  // The same for the plugin whose objects change.
  ASSERT_EQ(::kill(child_of(d, "myapp"), SIGKILL), 0);
  c.must({"scale", "myapp", "app-0", "-n", "child", "--replicas=4"});
  EXPECT_TRUE(eventually(
      [&] { return c.field("deployment", "app-0", "child", ".spec.replicas") == "4"; }, 20s))
      << d.process().log();

  const pid_t last = child_of(d, "myapp");
  d.process().send(SIGTERM);
  EXPECT_EQ(d.process().wait(40s), 0) << d.process().log();
  EXPECT_TRUE(is_gone(last));
}

// How long the child of `plugin` was away after SIGSEGV, in seconds; -1: it did not come back.
double crash_and_wait(daemon& d, const std::string& plugin) {
  const pid_t killed = child_of(d, plugin);
  if (::kill(killed, SIGSEGV) != 0) return -1;
  const auto when = std::chrono::steady_clock::now();
  if (!eventually([&] { return child_of(d, plugin) != killed; }, 30s)) return -1;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - when).count();
}

// Below which bound 99 % of what a histogram of myapp counted between two pages lies.
double p99(const std::string& before, const std::string& after, const std::string& name) {
  static const std::regex bucket("_bucket\\{(.*)le=\"([^\"]+)\"\\} ([0-9.e+]+)");
  std::map<double, double> counts;
  for (const auto& [page, sign] : {std::pair{&before, -1.0}, std::pair{&after, 1.0}}) {
    std::istringstream lines(*page);
    for (std::string line; std::getline(lines, line);) {
      std::smatch found;
      if (!line.starts_with(name + "_bucket") || !std::regex_search(line, found, bucket)) continue;
      if (found[1].str().find("plugin=\"myapp\"") == std::string::npos) continue;
      counts[std::stod(found[2])] += sign * std::stod(found[3]);  // "+Inf" is a number here
    }
  }
  if (counts.empty()) return -1;
  const double all = counts.rbegin()->second;
  const auto at = std::find_if(counts.begin(), counts.end(),
                               [&](const auto& c) { return c.second >= 0.99 * all; });
  return at->first;
}

void print_latency(const char* when, const std::string& before, const std::string& after) {
  std::printf("myapp %s: 99 %% waited below %g s and were reconciled below %g s\n", when,
              p99(before, after, "workqueue_queue_duration_seconds"),
              p99(before, after, "controller_runtime_reconcile_time_seconds"));
}

TEST(ChildHome, CrashesOfOneCostNoChangeOfAnotherAtAHundredASecond) {
  auto& c = shared_cluster();
  constexpr auto ns = "beside";
  constexpr int apps = 20;
  c.make_namespace(ns);
  daemon d(c, {{"myapp", test_plugin("observer")}, {"--plugin-home=child"}, false, {}});
  ASSERT_TRUE(d.wait_ready(30s)) << d.process().log();
  c.must({"apply", "-n", ns, "-f", "-"}, ten_apps(0) + ten_apps(1));
  ASSERT_TRUE(eventually([&] { return c.fields("deployment", ns).size() == apps; }, 30s))
      << d.process().log();
  changes user(ns, apps, 100);
  const auto begin = d.metrics();
  ASSERT_TRUE(user.wait_for_more(150)) << user.failure();
  const auto calm = d.metrics();
  print_latency("beside a plugin that lives", begin, calm);
  constexpr int crashes = 3;
  for (int i = 0; i < crashes; ++i) {
    ASSERT_TRUE(user.wait_for_more(50)) << user.failure();
    const auto away = crash_and_wait(d, "observer");
    EXPECT_GE(away, 0) << d.process().log();
    std::printf("the observer's child was back after %.3f s\n", away);
  }
  ASSERT_TRUE(user.wait_for_more(50)) << user.failure();
  print_latency("beside one that crashes", calm, d.metrics());
  user.stop();
  EXPECT_EQ(user.failure(), "");
  const auto replicas = [&] {
    std::istringstream lines(
        c.must({"get", "deployments", "-n", ns, "-o",
                "jsonpath={range .items[*]}{.metadata.name} {.spec.replicas}{\"\\n\"}{end}"}));
    std::map<std::string, int> found;
    std::string name;
    for (int number = 0; lines >> name >> number;)
      found[name] = number;
    return found;
  };
  EXPECT_TRUE(eventually([&] { return replicas() == user.last(); }, 60s)) << d.process().log();
  const auto page = d.metrics();
  const auto of = [&](const char* name, const char* plugin) {
    return metric(page, name, {plugin});
  };
  EXPECT_EQ(of("oarlock_plugin_child_restarts_total", "plugin=\"myapp\""), 0);
  EXPECT_EQ(of("oarlock_plugin_child_restarts_total", "plugin=\"observer\""), crashes);
}

TEST(ChildHome, ChildrenEndWithAKilledDaemon) {
  daemon d(shared_cluster(), {{"myapp"}, {"--plugin-home=child"}, false, {}});
  ASSERT_TRUE(d.wait_ready(30s)) << d.process().log();
  const pid_t child = child_of(d, "myapp");
  ASSERT_FALSE(is_gone(child));
  d.process().send(SIGKILL);
  EXPECT_TRUE(eventually([&] { return is_gone(child); }, 20s));
}

}  // namespace
}  // namespace oarlock::testing
