#include "core/plugin/plugin_writes.hpp"

#include <gmock/gmock.h>

#include <vector>

#include "core/base/token_bucket.hpp"
#include "core/kube/errors.hpp"
#include "tests/support/fake_clock.hpp"

namespace oarlock::plugin {
namespace {

using namespace std::chrono_literals;
using kube::kube_error;
using ::testing::HasSubstr;

manifest boats() {
  manifest m;
  m.name = "boats";
  controller::controller_spec c;
  c.primary = {"rowing.test", "v1", "Boat", "boats"};
  c.owns = {{"apps", "v1", "Deployment", "deployments"}};
  c.watches = {{{"", "v1", "Pod", "pods"}, {}, "app"}};
  m.controllers = {c};
  return m;
}

const kube::write_intent allowed{"patch", "apps", "deployments", "home", "a"};

class plugin_writes_test : public ::testing::Test {
 protected:
  using pass = result<std::shared_ptr<void>>;

  plugin_writes& writes() {
    if (!made_) {
      made_ = std::make_unique<plugin_writes>(
          boats(),
          plugin_writes::parts{&world_.clock, &world_.timers, metrics_.get(), scope_ns_, quota_});
    }
    return *made_;
  }
  pass admit(kube::write_intent what) {
    return world_.await(writes().admit(std::move(what), world_.clock.now() + 30s, {}));
  }
  std::string refusal(kube::write_intent what) {
    const auto got = admit(std::move(what));
    if (got) return "let pass";
    EXPECT_EQ(got.error().code, kube_error::not_declared);
    return got.error().message;
  }
  // Asks and goes on; `got` is filled in when the answer is there.
  void begin(pass& got, std::stop_token stop = {}) {
    const auto run = [](plugin_writes* w, pass* into, steady_time until,
                        std::stop_token halt) -> task<> {
      *into = co_await w->admit(allowed, until, std::move(halt));
    };
    got = error{kube_error::unavailable, "still waiting"};
    spawn(world_.loop(), run(&writes(), &got, world_.clock.now() + 30s, std::move(stop)));
    world_.run_ready();
  }

  test::test_loop world_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  std::string scope_ns_;
  write_quota quota_;
  std::unique_ptr<plugin_writes> made_;
};

TEST_F(plugin_writes_test, lets_pass_what_the_manifest_declares) {
  const kube::write_intent cases[] = {
      allowed,
      {"create", "apps", "deployments", "home", ""},
      {"delete", "apps", "deployments", "home", "a"},
      {"patch", "rowing.test", "boats/status", "home", "a"},
      {"create", "events.k8s.io", "events", "home", ""},
  };
  for (const auto& c : cases)
    EXPECT_TRUE(admit(c)) << c.verb << " " << c.resource;
}

TEST_F(plugin_writes_test, refuses_the_rest_by_name) {
  const kube::write_intent cases[] = {
      {"update", "apps", "deployments", "home", "a"},
      {"patch", "apps", "deployments/scale", "home", "a"},
      {"patch", "extensions", "deployments", "home", "a"},
      {"patch", "rowing.test", "boats", "home", "a"},
      {"delete", "rowing.test", "boats", "home", "a"},
      {"delete", "", "pods", "home", "a"},
      {"create", "", "secrets", "home", ""},
      {"create", "", "serviceaccounts/token", "oarlock-system", "oarlock-plugin-boats"},
      {"create", "rbac.authorization.k8s.io", "clusterrolebindings", "", ""},
  };
  for (const auto& c : cases)
    EXPECT_THAT(refusal(c), HasSubstr("plugin boats")) << c.verb << " " << c.resource;
  EXPECT_EQ(refusal(cases[1]),
            "expected plugin boats to write what its manifest declares, found patch "
            "deployments.apps/scale in namespace home: refused before it was sent");
  EXPECT_THAT(metrics_->serialize(),
              HasSubstr("oarlock_plugin_writes_refused_total{plugin=\"boats\","
                        "reason=\"not_declared\"} 10"));
}

TEST_F(plugin_writes_test, a_scope_is_a_wall) {
  scope_ns_ = "home";
  EXPECT_TRUE(admit(allowed));
  auto elsewhere = allowed;
  elsewhere.ns = "abroad";
  EXPECT_THAT(refusal(elsewhere), HasSubstr("the daemon's --namespace home holds"));
  EXPECT_THAT(refusal({"create", "events.k8s.io", "events", "default", ""}), HasSubstr("events"));
}

TEST_F(plugin_writes_test, over_the_rate_a_write_waits_its_turn) {
  quota_ = {.per_second = 10, .burst = 2, .in_flight = 100};
  EXPECT_TRUE(admit(allowed));
  EXPECT_TRUE(admit(allowed));
  pass third;
  pass fourth;
  begin(third);
  begin(fourth);
  world_.advance(99ms);
  EXPECT_FALSE(third);
  world_.advance(1ms);
  EXPECT_TRUE(third);
  EXPECT_FALSE(fourth);
  world_.advance(100ms);
  EXPECT_TRUE(fourth);
  EXPECT_THAT(metrics_->serialize(),
              HasSubstr("oarlock_plugin_write_wait_seconds_total{plugin=\"boats\"} 0.3"));
}

TEST_F(plugin_writes_test, a_wait_past_the_deadline_is_refused_at_once) {
  quota_ = {.per_second = 1, .burst = 1, .in_flight = 100};
  EXPECT_TRUE(admit(allowed));
  std::vector<pass> queued(30);
  for (auto& one : queued)
    begin(one);
  const auto before = world_.clock.now();
  pass late;
  begin(late);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, kube_error::over_quota);
  EXPECT_THAT(late.error().message, HasSubstr("its quota writes-per-second"));
  EXPECT_EQ(world_.clock.now(), before);
  world_.advance(30s);
  for (const auto& one : queued)
    EXPECT_TRUE(one) << "those before it had their turn";
}

TEST_F(plugin_writes_test, over_the_number_in_flight_a_write_waits_for_another_to_end) {
  quota_.in_flight = 2;
  auto first = admit(allowed);
  auto second = admit(allowed);
  pass third;
  pass fourth;
  begin(third);
  begin(fourth);
  first = pass{};
  world_.run_ready();
  EXPECT_TRUE(third) << "who came first goes first";
  EXPECT_FALSE(fourth);
  world_.advance(30s);
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().code, kube_error::over_quota);
  EXPECT_THAT(fourth.error().message, HasSubstr("its quota writes-in-flight"));
  second = pass{};
  third = pass{};
  EXPECT_THAT(metrics_->serialize(),
              HasSubstr("oarlock_plugin_writes_in_flight{plugin=\"boats\"} 0"));
  EXPECT_TRUE(admit(allowed));
}

TEST_F(plugin_writes_test, a_wait_ends_when_its_caller_stops) {
  quota_.in_flight = 1;
  auto first = admit(allowed);
  std::stop_source stop;
  pass second;
  begin(second, stop.get_token());
  stop.request_stop();
  world_.run_ready();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, kube_error::cancelled);
  first = pass{};
  EXPECT_TRUE(admit(allowed)) << "the place in the queue was given up as well";
}

}  // namespace
}  // namespace oarlock::plugin
