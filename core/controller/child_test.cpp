#include "core/controller/child.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/controller/errors.hpp"
#include "core/controller/reconcile.hpp"
#include "core/controller/test_objects.hpp"

namespace oarlock::controller {
namespace {

using testing::cached;
using ::testing::HasSubstr;
using testing::widget;
using testing::widget_spec;

const char* const deployment_intent =
    R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"w"},"spec":{"replicas":3}})";

child complete(const std::string& json) {
  auto made = complete_child({0, json}, widget_spec(), *widget());
  EXPECT_TRUE(made) << made.error().message;
  return *made;
}

const apply_work* apply_set_of(const work& w) {
  return w.steps.size() == 1 ? std::get_if<apply_work>(&w.steps.front()) : nullptr;
}

TEST(CompleteChild, AddsNamespaceOwnerLabelAndHash) {
  const auto made = complete(deployment_intent);
  const auto body = json::parse(made.body);
  ASSERT_TRUE(body);
  EXPECT_EQ(json::string_at(*body, "/metadata/namespace"), "ns");
  EXPECT_EQ(json::string_at(*body, "/metadata/ownerReferences/0/uid"), "u-1");
  EXPECT_EQ(json::string_at(*body, "/metadata/ownerReferences/0/kind"), "Widget");
  EXPECT_EQ(json::string_at(*body, "/metadata/ownerReferences/0/apiVersion"), "example.com/v1");
  EXPECT_EQ(json::bool_at(*body, "/metadata/ownerReferences/0/controller"), true);
  EXPECT_EQ(json::bool_at(*body, "/metadata/ownerReferences/0/blockOwnerDeletion"), true);
  EXPECT_EQ(json::string_at(*body, "/metadata/labels/app.kubernetes.io~1managed-by"), "oarlock");
  EXPECT_EQ(json::string_at(*body, "/metadata/annotations/oarlock.dev~1applied"), made.hash);
  EXPECT_EQ(made.title(), "Deployment ns/w");
}

TEST(CompleteChild, HashChangesWithTheIntentOnly) {
  const auto one = complete(deployment_intent);
  EXPECT_EQ(one.hash, complete(deployment_intent).hash);
  EXPECT_NE(one.hash, complete(R"({"apiVersion":"apps/v1","kind":"Deployment",)"
                               R"("metadata":{"name":"w"},"spec":{}})")
                          .hash)
      << "a dropped field has to be written";
}

struct bad_intent {
  const char* json;
  const char* says;
};
class RefusesIntent : public ::testing::TestWithParam<bad_intent> {};

TEST_P(RefusesIntent, WithAMessageThatNamesTheProblem) {
  const auto made = complete_child({0, GetParam().json}, widget_spec(), *widget());
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusesIntent,
    ::testing::Values(
        bad_intent{"{", "child of ns/w"}, bad_intent{"[]", "expected a child as a JSON object"},
        bad_intent{R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}})", "v1 Secret"},
        bad_intent{R"({"apiVersion":"apps/v2","kind":"Deployment","metadata":{"name":"x"}})",
                   "apps/v2 Deployment"},
        bad_intent{R"({"apiVersion":"apps/v1","kind":"Deployment"})", "metadata.name"},
        bad_intent{R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":[]})",
                   "metadata.name"},
        bad_intent{R"({"apiVersion":"apps/v1","kind":"Deployment",)"
                   R"("metadata":{"name":"x","namespace":"other"}})",
                   "found other"}));

// The live object as it would look after `made` was applied, with one thing changed.
cache::object_ptr live_after(const child& made, const std::string& from = {},
                             const std::string& to = {}) {
  auto text = made.body;
  if (!from.empty()) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  return cached(text);
}

TEST(DecideChild, FollowsOwnershipHashAndValues) {
  const auto made = complete(deployment_intent);
  const auto primary = widget();
  EXPECT_EQ(decide_child(made, nullptr, *primary), child_action::create);
  EXPECT_EQ(decide_child(made, live_after(made).get(), *primary), child_action::none);
  EXPECT_EQ(
      decide_child(made, live_after(made, "\"replicas\":3", "\"replicas\":9").get(), *primary),
      child_action::update)
      << "somebody edited it by hand";
  EXPECT_EQ(decide_child(made, live_after(made, made.hash, "0123").get(), *primary),
            child_action::update)
      << "another intent was applied before";
  EXPECT_EQ(
      decide_child(made, live_after(made, "\"uid\":\"u-1\"", "\"uid\":\"u-2\"").get(), *primary),
      child_action::conflict)
      << "a child of a namesake that is gone is not adopted";
  EXPECT_EQ(
      decide_child(made, live_after(made, "\"controller\":true", "\"controller\":false").get(),
                   *primary),
      child_action::conflict);
}

TEST(DecideChild, ServerDefaultsAreNoDifference) {
  const auto made = complete(deployment_intent);
  const auto live = live_after(made, "\"replicas\":3", R"("replicas":3,"revisionHistoryLimit":10)");
  EXPECT_EQ(decide_child(made, live.get(), *widget()), child_action::none);
}

class fixed_plan final : public reconciler {
 public:
  explicit fixed_plan(plan_output out) : out_(std::move(out)) {}
  plan_output plan(const plan_input&) override { return out_; }

 private:
  plan_output out_;
};

plan_input input_for(const controller_spec& spec, std::vector<input_object> owned) {
  plan_input input;
  input.spec = &spec;
  input.primary = widget();
  input.key = input.primary->meta().key;
  input.owned = std::move(owned);
  return input;
}

TEST(MakeWork, DeletesOwnedChildrenThatNoPlanMentions) {
  const auto spec = widget_spec();
  auto old = complete(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"old"}})");
  auto strange = complete(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"x"}})");
  const auto unlabelled = live_after(strange, "managed-by\":\"oarlock", "managed-by\":\"helm");
  plan_output out;
  out.apply_set.push_back({0, deployment_intent});
  fixed_plan decide(out);
  const auto w = make_work(
      decide, input_for(spec, {{&spec.owns[1], live_after(old)}, {&spec.owns[1], unlabelled}}), {});
  const auto* set = apply_set_of(w);
  ASSERT_NE(set, nullptr);
  ASSERT_EQ(set->writes.size(), 1U);
  EXPECT_EQ(set->writes[0].action, child_action::create);
  ASSERT_EQ(set->deletes.size(), 1U) << "only what carries our label is pruned";
  EXPECT_EQ(set->deletes[0].live->meta().key.name, "old");
}

TEST(MakeWork, AFailedPlanWritesAndDeletesNothing) {
  const auto spec = widget_spec();
  auto old = complete(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"old"}})");
  plan_output out;
  out.verdict = plan_verdict::retry;
  fixed_plan decide(out);
  const auto w = make_work(decide, input_for(spec, {{&spec.owns[1], live_after(old)}}), {});
  EXPECT_TRUE(w.steps.empty());
}

TEST(MakeWork, RefusesOneChildTwice) {
  const auto spec = widget_spec();
  plan_output out;
  out.apply_set = {{0, deployment_intent}, {1, deployment_intent}};
  fixed_plan decide(out);
  const auto w = make_work(decide, input_for(spec, {}), {});
  ASSERT_TRUE(w.refused);
  EXPECT_THAT(w.refused->message, HasSubstr("twice"));
}

TEST(MakeWork, OrdersByGroup) {
  const auto spec = widget_spec();
  plan_output out;
  out.apply_set = {{2, deployment_intent},
                   {1, R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"s"}})"}};
  fixed_plan decide(out);
  const auto w = make_work(decide, input_for(spec, {}), {});
  const auto* set = apply_set_of(w);
  ASSERT_NE(set, nullptr);
  ASSERT_EQ(set->writes.size(), 2U);
  EXPECT_EQ(set->writes[0].wanted.resource.kind, "Service");
}

}  // namespace
}  // namespace oarlock::controller
