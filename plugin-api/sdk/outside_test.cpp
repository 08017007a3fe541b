// Steps of typed objects, and plans beside what is outside of Kubernetes, called over the C ABI.
#include "oarlock/sdk/outside.hpp"

#include <gtest/gtest.h>

#include "oarlock/k8s/apps/v1.hpp"
#include "oarlock/k8s/coordination/v1.hpp"
#include "oarlock/sdk/testing/bench_host.hpp"

namespace oarlock::sdk {
namespace {

using k8s::coordination::v1::lease;
using k8s::coordination::v1::lease_spec;

testing::given_object lease_of(const std::string& rest) {
  return {"leases.coordination.k8s.io",
          R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",)" + rest + "}"};
}

testing::given given_lease(const std::string& rest) {
  testing::given g;
  g.controller = "keeper";
  g.primary = lease_of(rest);
  g.ns = "default";
  g.name = "p";
  return g;
}

// What is observed and not yet so is an effect; other leases are given to the same holder.
void plan(const input<lease>& in, output<lease>& out) {
  for (const lease* one : in.watched<lease>()) {
    lease changed = *one;
    changed.metadata->labels["seen"] = "yes";
    changed.metadata->labels.erase("new");
    changed.spec->holder_identity = in.primary().spec->holder_identity;
    out.patch_existing(*one, changed, true);
  }
  if (in.observation()["holder"].text() != in.primary().spec->holder_identity) {
    out.effect("tell", *in.primary().spec);
    out.effect("ring", json::object({{"times", 2}}));
    out.effect("sleep");
  }
}

// Keeps what it was asked; one instance at a time.
struct servers {
  explicit servers(const setup& s) : holder(s.config["holder"].text()) { last = this; }
  std::optional<json::value> observe(const input<lease>& in, std::chrono::milliseconds time_left) {
    if (in.name() == "unknown") return std::nullopt;
    return json::object({{"holder", holder}, {"time", time_left.count()}});
  }
  void effect(const sdk::effect<lease>& what, std::chrono::milliseconds /*time_left*/) {
    holder = what.payload<lease_spec>().holder_identity.value_or("nobody");
    done = std::string(what.what()) + " " + std::string(what.ns()) + "/" +
           std::string(what.name()) + " of " + what.primary().metadata->uid.value_or("?") + " " +
           std::string(what.observation()["holder"].text());
  }
  void start() { has_started = true; }

  std::string holder, done;
  bool has_started = false;
  static inline servers* last = nullptr;
};

struct only_acting {
  void effect(const sdk::effect<lease>&, std::chrono::milliseconds) {}
};
struct only_observing {
  std::optional<json::value> observe(const input<lease>&, std::chrono::milliseconds) { return {}; }
};

constexpr oarlock_plugin plugin =
    detail::describe<planner_with<"keeper", plan, servers>>("keeper", "1");

TEST(typed_steps, send_what_a_plan_has_changed_and_nothing_else) {
  testing::bench_host host(plugin);
  auto g = given_lease(R"("metadata":{},"spec":{"holderIdentity":"me"})");
  g.watched = {
      lease_of(R"("metadata":{"name":"a","uid":"u","resourceVersion":"7","labels":{"new":"1"}},
                  "spec":{"leaseDurationSeconds":3},"extra":{"x":[1]})"),
      lease_of(
          R"("metadata":{"name":"b","labels":{"seen":"yes"}},"spec":{"holderIdentity":"me"})")};
  g.observation = R"({"holder":"me"})";
  const auto answer = host.plan(g);
  ASSERT_EQ(answer.returned, OARLOCK_OK) << answer.fail_message;
  ASSERT_EQ(answer.steps.size(), 1U);
  EXPECT_EQ(answer.steps[0].what, "patch");
  EXPECT_EQ(answer.steps[0].kind, "merge");
  EXPECT_EQ(answer.steps[0].resource, "leases.coordination.k8s.io");
  EXPECT_EQ(answer.steps[0].name, "a");
  EXPECT_EQ(answer.steps[0].uid, "u");
  EXPECT_EQ(answer.steps[0].resource_version, "7");
  EXPECT_TRUE(json::parse(answer.steps[0].json) ==
              json::parse(R"({"metadata":{"labels":{"seen":"yes","new":null}},
                              "spec":{"holderIdentity":"me"}})"))
      << answer.steps[0].json;
}

TEST(typed_steps, record_effects_with_typed_payloads) {
  testing::bench_host host(plugin);
  const auto answer = host.plan(given_lease(R"("metadata":{},"spec":{"holderIdentity":"me"})"));
  ASSERT_EQ(answer.returned, OARLOCK_OK) << answer.fail_message;
  ASSERT_EQ(answer.steps.size(), 3U);
  EXPECT_EQ(answer.steps[0].what, "effect");
  EXPECT_EQ(answer.steps[0].name, "tell");
  EXPECT_EQ(answer.steps[0].json, R"({"holderIdentity":"me"})");
  EXPECT_EQ(answer.steps[1].json, R"({"times":2})");
  EXPECT_EQ(answer.steps[2].json, "");
}

TEST(planner_with, hands_effects_to_what_is_outside) {
  testing::bench_host host(plugin, R"({"holder":"first"})");
  EXPECT_TRUE(servers::last->has_started);
  EXPECT_EQ(servers::last->holder, "first");
  auto about = given_lease(R"("metadata":{"uid":"u-1"})");
  about.observation = R"({"holder":"before"})";
  const auto good = host.effect(about, "tell", R"({"holderIdentity":"you"})");
  EXPECT_EQ(good.returned, OARLOCK_OK) << good.fail_message;
  EXPECT_EQ(servers::last->holder, "you");
  EXPECT_EQ(servers::last->done, "tell default/p of u-1 before");

  const auto other = host.effect(about, "tell", R"({"holderIdentity":7})");
  EXPECT_EQ(other.returned, OARLOCK_TERMINAL);
  EXPECT_EQ(other.fail_reason, "InvalidObject");
  EXPECT_EQ(other.fail_message, "holderIdentity: expected text, found the number 7");
  const auto none = host.effect(about, "tell", "");
  EXPECT_EQ(none.fail_message, "expected a payload of the effect tell, found none");
}

TEST(planner_with, hands_what_is_observed_to_the_plan) {
  testing::bench_host host(plugin, R"({"holder":"first"})");
  auto about = given_lease(R"("metadata":{},"spec":{"holderIdentity":"first"})");
  const auto seen = host.observe(about, std::chrono::milliseconds(7));
  EXPECT_EQ(seen.returned, OARLOCK_OK) << seen.fail_message;
  EXPECT_EQ(seen.json, R"({"holder":"first","time":7})");
  about.observation = seen.json;
  EXPECT_TRUE(host.plan(about).steps.empty());
  about.name = "unknown";
  EXPECT_EQ(host.observe(about).json, "");
}

TEST(planner_with, is_called_for_what_its_class_has) {
  constexpr auto acting = detail::describe<planner_with<"a", plan, only_acting>>("a", "1");
  EXPECT_EQ(acting.observe, nullptr);
  EXPECT_NE(acting.effect, nullptr);
  constexpr auto observing = detail::describe<planner_with<"a", plan, only_observing>>("a", "1");
  EXPECT_NE(observing.observe, nullptr);
  EXPECT_EQ(observing.effect, nullptr);
}

using k8s::apps::v1::deployment;
void put_on_record(const input<deployment>& in, output<deployment>& out) {
  deployment::status_type status;
  status.replicas = 3;
  out.swap_status(in.primary(), status);
}

TEST(typed_steps, put_a_status_on_record_for_the_version_that_was_seen) {
  constexpr auto recorder = detail::describe<planner<"keeper", put_on_record>>("keeper", "1");
  testing::bench_host host(recorder);
  auto g = given_lease("");
  g.primary = {"deployments.apps", R"({"apiVersion":"apps/v1","kind":"Deployment",
      "metadata":{"name":"p","resourceVersion":"9"}})"};
  const auto answer = host.plan(g);
  ASSERT_EQ(answer.steps.size(), 1U) << answer.fail_message;
  EXPECT_EQ(answer.steps[0].what, "status");
  EXPECT_EQ(answer.steps[0].resource_version, "9");
  EXPECT_EQ(answer.steps[0].json, R"({"replicas":3})");
}

void relabel(const input<lease>& in, output<lease>& out) {
  lease changed = in.primary();
  changed.metadata->annotations["a"] = "b";
  out.patch_existing(in.primary(), changed);
}

TEST(typed_steps, change_the_primary_as_it_was_seen) {
  constexpr auto recorder = detail::describe<planner<"keeper", relabel>>("keeper", "1");
  testing::bench_host host(recorder);
  const auto answer =
      host.plan(given_lease(R"("metadata":{"name":"p","uid":"u","resourceVersion":"9"})"));
  ASSERT_EQ(answer.steps.size(), 1U) << answer.fail_message;
  EXPECT_EQ(answer.steps[0].json, R"({"metadata":{"annotations":{"a":"b"}}})");
  EXPECT_EQ(answer.steps[0].resource_version, "");
}

}  // namespace
}  // namespace oarlock::sdk
