// Plans as functions of typed objects, called over the C ABI.
#include "oarlock/sdk/planner.hpp"

#include <gtest/gtest.h>

#include "oarlock/k8s/coordination/v1.hpp"
#include "oarlock/sdk/testing/bench_host.hpp"

namespace oarlock::sdk {
namespace {

using k8s::coordination::v1::lease;

constexpr const char* head = R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",)";

testing::given_object lease_of(const std::string& rest) {
  return {"leases.coordination.k8s.io", head + rest + "}"};
}

// Says in one event what it sees, and wants one lease.
void see(const input<lease>& in, output<lease>& out) {
  std::string seen = in.primary().spec->holder_identity.value_or("nobody");
  for (const lease* one : in.owned<lease>())
    seen += " owned:" + one->metadata->name.value_or("?") + "=" +
            std::to_string(one->spec->lease_duration_seconds.value_or(-1));
  for (const lease* one : in.watched<lease>())
    seen += " watched:" + one->metadata->name.value_or("?");
  if (const lease* child = in.owned<lease>("child")) out.remove(*child, true);
  lease wanted;
  wanted.metadata->name = "wanted";
  wanted.spec->holder_identity = in.name();
  out.apply(wanted, 2);
  out.create_once(wanted);
  out.normal_event("Seen", seen);
  out.stalled("Reason", "message");
  out.requeue_after(std::chrono::seconds(5));
  if (in.deleting()) out.finished();
}

constexpr oarlock_plugin plugin = detail::describe<planner<"seer", see>>("seer", "1");

testing::given given_lease(const std::string& rest) {
  testing::given g;
  g.controller = "seer";
  g.primary = lease_of(rest);
  g.ns = "default";
  g.name = "p";
  return g;
}

TEST(planner, hands_typed_objects_in_and_takes_them_out) {
  testing::bench_host host(plugin);
  auto g = given_lease(R"("spec":{"holderIdentity":"me"})");
  g.owned = {lease_of(R"("metadata":{"name":"other"},"spec":{"leaseDurationSeconds":15})"),
             lease_of(R"("metadata":{"name":"child","uid":"u","resourceVersion":"7"})"),
             {"configmaps", R"({"metadata":{"name":"child"}})"}};
  g.watched = {lease_of(R"("metadata":{"name":"w"})")};
  g.deleting = true;
  const auto answer = host.plan(g);
  ASSERT_EQ(answer.returned, OARLOCK_OK) << answer.fail_message;
  EXPECT_EQ(answer.events.at(0).message, "me owned:other=15 owned:child=-1 watched:w");
  const std::string wanted =
      std::string(head) + R"("metadata":{"name":"wanted"},"spec":{"holderIdentity":"p"}})";
  ASSERT_EQ(answer.applied.size(), 1U);
  EXPECT_EQ(answer.applied[0].first, 2U);
  EXPECT_EQ(answer.applied[0].second, wanted);
  ASSERT_EQ(answer.steps.size(), 3U);
  EXPECT_EQ(answer.steps[0].what, "delete");
  EXPECT_EQ(answer.steps[0].resource, "leases.coordination.k8s.io");
  EXPECT_EQ(answer.steps[0].uid, "u");
  EXPECT_EQ(answer.steps[0].resource_version, "7");
  EXPECT_EQ(answer.steps[2].json, wanted);
  EXPECT_EQ(answer.conditions.at("Ready").status, OARLOCK_CONDITION_FALSE);
  EXPECT_EQ(answer.conditions.at("Reconciling").status, OARLOCK_CONDITION_FALSE);
  EXPECT_EQ(answer.conditions.at("Stalled").status, OARLOCK_CONDITION_TRUE);
  EXPECT_EQ(answer.requeue_after_ms, 5000);
  EXPECT_TRUE(answer.finished);
}

TEST(planner, refuses_a_spec_that_its_schema_refuses) {
  testing::bench_host host(plugin);
  const auto answer = host.plan(given_lease(R"("spec":{"holderIdentity":7})"));
  EXPECT_EQ(answer.returned, OARLOCK_TERMINAL);
  EXPECT_EQ(answer.fail_reason, "InvalidSpec");
  EXPECT_EQ(answer.fail_message, "spec.holderIdentity: expected text, found the number 7");
}

TEST(planner, takes_fields_of_other_objects_that_do_not_fit_for_unset) {
  testing::bench_host host(plugin);
  auto g = given_lease(R"("metadata":{"labels":3})");
  g.owned = {lease_of(R"("metadata":{"name":"a","labels":[]},"spec":7)"),
             {"leases.coordination.k8s.io", "[]"}};
  const auto answer = host.plan(g);
  ASSERT_EQ(answer.returned, OARLOCK_OK) << answer.fail_message;
  EXPECT_EQ(answer.events.at(0).message, "nobody owned:a=-1 owned:?=-1");
}

TEST(planner, refuses_objects_of_another_version) {
  testing::bench_host host(plugin);
  auto g = given_lease(R"("metadata":{})");
  g.watched = {
      {"leases.coordination.k8s.io", R"({"apiVersion":"coordination.k8s.io/v2","kind":"Lease"})"}};
  const auto answer = host.plan(g);
  EXPECT_EQ(answer.fail_reason, "InvalidObject");
  EXPECT_EQ(answer.fail_message,
            "leases.coordination.k8s.io : apiVersion: expected \"coordination.k8s.io/v1\", found "
            "the text \"coordination.k8s.io/v2\"");
}

TEST(conditions, are_found_by_type) {
  struct entry {
    std::string type, status;
  };
  const std::vector<entry> all{{"Ready", "True"}, {"Stalled", "False"}};
  EXPECT_TRUE(is_condition(all, "Ready"));
  EXPECT_FALSE(is_condition(all, "Stalled"));
  EXPECT_TRUE(is_condition(all, "Stalled", "False"));
  EXPECT_FALSE(is_condition(all, "Other", "False"));
  EXPECT_EQ(find_condition(all, "Other"), nullptr);
}

}  // namespace
}  // namespace oarlock::sdk
