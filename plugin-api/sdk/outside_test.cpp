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

struct told {
  oarlock_status returned = OARLOCK_OK;
  std::string reason, message;
};

told tell(oarlock_instance* instance, const testing::given_object& lent, std::string_view payload) {
  const auto primary = testing::detail::lend(lent);
  const std::string_view seen = R"({"holder":"before"})";
  const oarlock_effect_view view{sizeof(view),
                                 OARLOCK_ENCODING_JSON,
                                 to_view("keeper"),
                                 to_view("ns"),
                                 to_view("p"),
                                 &primary,
                                 to_view("tell"),
                                 to_bytes(payload),
                                 to_bytes(seen),
                                 OARLOCK_ENCODING_JSON,
                                 0,
                                 INT64_MAX};
  told answer;
  oarlock_effect_out out{};
  out.struct_size = sizeof(out);
  out.ctx = reinterpret_cast<oarlock_effect_ctx*>(&answer);
  out.fail = [](oarlock_effect_ctx* ctx, oarlock_str_view reason,
                oarlock_str_view message) -> oarlock_status {
    auto& into = *reinterpret_cast<told*>(ctx);
    into.reason = to_text(reason);
    into.message = to_text(message);
    return OARLOCK_OK;
  };
  answer.returned = plugin.effect(instance, &view, 1000, &out);
  return answer;
}

struct made {
  made() {
    host.struct_size = sizeof(host);
    host.extension = [](oarlock_host_ctx*, oarlock_str_view) -> const void* { return nullptr; };
    const oarlock_create_view view{sizeof(view), OARLOCK_ENCODING_JSON,
                                   to_bytes(std::string_view(R"({"holder":"first"})"))};
    const oarlock_error_out error{};
    EXPECT_EQ(plugin.create(&host, &view, &error, &instance), OARLOCK_OK);
    EXPECT_EQ(plugin.start(instance, &error), OARLOCK_OK);
  }
  ~made() {
    plugin.stop(instance);
    plugin.destroy(instance);
  }
  made(const made&) = delete;
  made& operator=(const made&) = delete;
  oarlock_host host{};
  oarlock_instance* instance = nullptr;
};

TEST(planner_with, hands_effects_to_what_is_outside) {
  const made m;
  EXPECT_TRUE(servers::last->has_started);
  EXPECT_EQ(servers::last->holder, "first");
  const auto good =
      tell(m.instance, lease_of(R"("metadata":{"uid":"u-1"})"), R"({"holderIdentity":"you"})");
  EXPECT_EQ(good.returned, OARLOCK_OK) << good.message;
  EXPECT_EQ(servers::last->holder, "you");
  EXPECT_EQ(servers::last->done, "tell ns/p of u-1 before");

  const auto other = tell(m.instance, lease_of(R"("metadata":{})"), R"({"holderIdentity":7})");
  EXPECT_EQ(other.returned, OARLOCK_TERMINAL);
  EXPECT_EQ(other.reason, "InvalidObject");
  EXPECT_EQ(other.message, "holderIdentity: expected text, found the number 7");
  const auto none = tell(m.instance, lease_of(R"("metadata":{})"), "");
  EXPECT_EQ(none.message, "expected a payload of the effect tell, found none");
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
