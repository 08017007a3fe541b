// The metrics endpoint of the real daemon: who may read it, what is on it from the start, and what
// Prometheus' own tool says of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class MetricsPage : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // A plugin with metrics of its own.
    const auto granted = run({built("bin/oarlock"), "plugin", "manifest", test_plugin("turner"),
                              "--plugin-identity=daemon", "--daemon-user=oarlock"});
    ASSERT_EQ(granted.exit_code, 0) << granted.err;
    shared_cluster().must({"apply", "-f", "-"}, granted.out);
    daemon::options o;
    o.plugins = {"myapp", test_plugin("turner")};
    o.leader_elect = true;
    o.flags = {"--leader-election-id=metrics-page", "--kube-api-qps=100", "--kube-api-burst=100",
               "--plugin-home=core,turner:child"};
    oarlockd = std::make_unique<daemon>(shared_cluster(), o);
    ASSERT_TRUE(oarlockd->wait_ready(30s)) << oarlockd->process().log();
  }
  static void TearDownTestSuite() { oarlockd.reset(); }
  static inline std::unique_ptr<daemon> oarlockd;
};

TEST_F(MetricsPage, PromtoolFindsNothingToSay) {
  if (run({"promtool", "--version"}).exit_code != 0) GTEST_SKIP() << "no promtool: run make deps";
  // Those of a plugin come from its child a little later, and not all at once.
  std::string page;
  ASSERT_TRUE(eventually(
      [&] {
        page = oarlockd->metrics();
        return metric(page, "turner_plans_total", {"plugin=\"turner\"", "result=\"ok\""}) >= 0 &&
               page.find("# TYPE turner_replicas gauge\n") != std::string::npos &&
               page.find("# TYPE turner_object_bytes histogram\n") != std::string::npos;
      },
      30s))
      << page << oarlockd->process().log();
  const auto checked = run({"promtool", "check", "metrics"}, page);
  EXPECT_EQ(checked.exit_code, 0);
  EXPECT_EQ(checked.out + checked.err, "");
  const auto found = run({"promtool", "check", "metrics"}, "# TYPE badName counter\nbadName 1\n");
  EXPECT_NE(found.exit_code, 0) << "this promtool lets everything pass";
}

// Dashboards and alerts need a 0, not nothing, before the first reconcile.
TEST_F(MetricsPage, HasWhatDashboardsExpectBeforeAnythingHappened) {
  struct family {
    const char* name;
    std::vector<std::string> labels;
  };
  const std::string controller = "controller=\"myapp\"";
  const std::string plugin = "plugin=\"myapp\"";
  const std::vector<std::string> of_controller{controller, plugin};
  const std::vector<std::string> of_queue{"name=\"myapp\"", controller, plugin};
  const auto with = [](std::vector<std::string> labels, const char* one_more) {
    labels.emplace_back(one_more);
    return labels;
  };
  const family wanted[] = {
      {"controller_runtime_reconcile_total", with(of_controller, "result=\"success\"")},
      {"controller_runtime_reconcile_total", with(of_controller, "result=\"error\"")},
      {"controller_runtime_reconcile_total", with(of_controller, "result=\"requeue_after\"")},
      {"controller_runtime_reconcile_errors_total", of_controller},
      {"controller_runtime_terminal_reconcile_errors_total", of_controller},
      {"controller_runtime_reconcile_panics_total", of_controller},
      {"controller_runtime_reconcile_timeouts_total", of_controller},
      {"controller_runtime_reconcile_time_seconds_bucket", with(of_controller, "le=\"0.005\"")},
      {"controller_runtime_reconcile_time_seconds_bucket", with(of_controller, "le=\"60\"")},
      {"controller_runtime_max_concurrent_reconciles", of_controller},
      {"controller_runtime_active_workers", of_controller},
      {"workqueue_depth", with(of_queue, "priority=\"0\"")},
      {"workqueue_adds_total", of_queue},
      {"workqueue_queue_duration_seconds_bucket", with(of_queue, "le=\"1000\"")},
      {"workqueue_work_duration_seconds_bucket", with(of_queue, "le=\"1000\"")},
      {"workqueue_retries_total", of_queue},
      {"workqueue_unfinished_work_seconds", of_queue},
      {"workqueue_longest_running_processor_seconds", of_queue},
      {"rest_client_requests_total", {"code=\"200\"", "method=\"GET\"", "host=\"127.0.0.1:"}},
      {"rest_client_request_duration_seconds_bucket", {"verb=\"GET\"", "host=\"127.0.0.1:"}},
      {"rest_client_rate_limiter_duration_seconds_bucket", {"verb=\"GET\"", "host=\"127.0.0.1:"}},
      {"rest_client_request_size_bytes_bucket", {"verb=\"GET\"", "host=\"127.0.0.1:"}},
      {"rest_client_response_size_bytes_bucket", {"verb=\"GET\"", "host=\"127.0.0.1:"}},
      {"informer_store_resource_version",
       {"group=\"apps\"", "version=\"v1\"", "resource=\"deployments\""}},
      {"leader_election_master_status", {"name=\"metrics-page\""}},
      {"leader_election_slowpath_total", {"name=\"metrics-page\""}},
      {"process_cpu_seconds_total", {}},
      {"process_resident_memory_bytes", {}},
      {"process_open_fds", {}},
      {"process_start_time_seconds", {}},
      {"oarlock_plugin_loaded", {plugin}},
      {"oarlock_cache_objects", {"resource=\"deployments.apps\""}},
      {"oarlock_cache_bytes", {"resource=\"deployments.apps\""}},
      {"oarlock_plugin_cache_objects", with(of_controller, "resource=\"deployments.apps\"")},
      {"oarlock_plugin_cache_bytes", with(of_controller, "resource=\"deployments.apps\"")},
  };
  const auto page = oarlockd->metrics();
  for (const auto& one : wanted) {
    EXPECT_GE(metric(page, one.name, one.labels), 0)
        << one.name << " " << ::testing::PrintToString(one.labels);
  }
}

class MetricsAccess : public ::testing::Test {
 protected:
  // A ServiceAccount's token, as a scraper has one.
  static std::string token_of(const std::string& account) {
    shared_cluster().must({"create", "serviceaccount", account, "-n", "default"});
    return shared_cluster().must({"create", "token", account, "-n", "default"});
  }
  // The status, a space, the body.
  static std::string ask(const daemon& d, const std::string& authorization) {
    std::vector<std::string> argv{"curl", "-sk", "--max-time", "20", "-w", "\n%{http_code}"};
    if (!authorization.empty()) {
      argv.insert(argv.end(), {"-H", "Authorization: " + authorization});
    }
    argv.push_back("https://" + d.metrics_address() + "/metrics");
    const auto text = run(argv).out;
    const auto end = text.rfind('\n');
    return end == std::string::npos ? text : text.substr(end + 1) + " " + text.substr(0, end);
  }
};

TEST_F(MetricsAccess, IsForThoseWhoMayGetTheMetricsPath) {
  const auto reader = token_of("scraper");
  const auto stranger = token_of("stranger");
  shared_cluster().must(
      {"create", "clusterrole", "metrics-reader", "--verb=get", "--non-resource-url=/metrics"});
  shared_cluster().must({"create", "clusterrolebinding", "scraper", "--clusterrole=metrics-reader",
                         "--serviceaccount=default:scraper"});
  daemon::options o;
  o.secure_metrics = true;
  daemon d(shared_cluster(), o);
  ASSERT_TRUE(d.wait_ready(30s)) << d.process().log();
  EXPECT_THAT(ask(d, ""), StartsWith("401 "));
  EXPECT_THAT(ask(d, "Bearer " + reader + "x"), StartsWith("401 "));
  EXPECT_THAT(ask(d, "Basic c2NyYXBlcjo="), StartsWith("401 "));
  EXPECT_THAT(ask(d, "Bearer " + stranger), StartsWith("403 "));
  EXPECT_THAT(ask(d, "Bearer " + reader), StartsWith("200 "));
  EXPECT_THAT(ask(d, "Bearer " + reader), HasSubstr("\noarlock_plugin_loaded{"));
  EXPECT_THAT(run({"curl", "-s", "--max-time", "5", "http://" + d.metrics_address()}).out,
              ::testing::Not(HasSubstr("oarlock_")))
      << "no page without TLS";
}

TEST_F(MetricsAccess, SaysThatItCannotAskWhereReviewsAreForbidden) {
  daemon::options o;
  o.secure_metrics = true;
  o.plugins = {};
  o.kubeconfig = shared_cluster().kubeconfig("nobody-much");
  daemon d(shared_cluster(), o);
  ASSERT_TRUE(eventually([&] { return !d.metrics_address().empty(); }, 30s)) << d.process().log();
  EXPECT_THAT(ask(d, "Bearer anything"), StartsWith("503 "));
}

}  // namespace
}  // namespace oarlock::testing
