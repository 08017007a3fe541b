#include "core/controller/status.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/controller/test_objects.hpp"

namespace oarlock::controller {
namespace {

using testing::cached;
using testing::widget;
using testing::widget_spec;

const wall_time noon =
    std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + std::chrono::hours(12);

const condition* find(const std::vector<condition>& all, std::string_view type) {
  for (const auto& c : all) {
    if (c.type == type) return &c;
  }
  return nullptr;
}

plan_output ready_plan() {
  plan_output plan;
  plan.status_json = R"({"phase":"Ready"})";
  plan.conditions = {{"Ready", condition_status::yes, "AllReplicasReady", "3 of 3"}};
  return plan;
}

// The live status after `body` was applied.
std::string status_in(const std::string& body) {
  const auto parsed = json::parse(body);
  EXPECT_TRUE(parsed);
  return json::write(*json::find(*parsed, "/status"));
}

std::string rendered(const cache::object& primary, const plan_output& plan, const attempt& outcome,
                     wall_time now = noon) {
  auto body = render_status(widget_spec(), primary, primary.meta().generation, plan, outcome, now);
  EXPECT_TRUE(body) << body.error().message;
  EXPECT_TRUE(*body) << "expected a write";
  return body->value_or("");
}

TEST(RenderStatus, CarriesPluginFieldsConditionsAndObservedGeneration) {
  const auto parsed = json::parse(rendered(*widget(), ready_plan(), {}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(json::string_at(*parsed, "/metadata/name"), "w");
  EXPECT_EQ(json::string_at(*parsed, "/status/phase"), "Ready");
  EXPECT_EQ(json::int_at(*parsed, "/status/observedGeneration"), 3);
  EXPECT_EQ(json::string_at(*parsed, "/status/conditions/0/type"), "Ready");
  EXPECT_EQ(json::string_at(*parsed, "/status/conditions/0/status"), "True");
  EXPECT_EQ(json::int_at(*parsed, "/status/conditions/0/observedGeneration"), 3);
  EXPECT_EQ(json::string_at(*parsed, "/status/conditions/0/lastTransitionTime"),
            "2026-01-02T12:00:00Z");
}

TEST(RenderStatus, IsNotWrittenWhenNothingChanged) {
  const auto first = rendered(*widget(), ready_plan(), {});
  const auto again = render_status(widget_spec(), *widget(status_in(first)), 3, ready_plan(), {},
                                   noon + std::chrono::hours(1));
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again);
}

TEST(RenderStatus, IsWrittenWhenAFieldIsDropped) {
  const auto first = rendered(*widget(), ready_plan(), {});
  auto plan = ready_plan();
  plan.status_json = "{}";
  const auto again = render_status(widget_spec(), *widget(status_in(first)), 3, plan, {}, noon);
  ASSERT_TRUE(again);
  EXPECT_TRUE(*again);
}

TEST(RenderStatus, KeepsTheTransitionTimeWhileTheStatusStays) {
  const auto first = rendered(*widget(), ready_plan(), {});
  auto plan = ready_plan();
  plan.conditions[0].message = "3 of 3, again";
  const auto later = rendered(*widget(status_in(first)), plan, {}, noon + std::chrono::hours(1));
  EXPECT_THAT(later, ::testing::HasSubstr("2026-01-02T12:00:00Z"));
  EXPECT_THAT(later, ::testing::Not(::testing::HasSubstr("T13:00:00Z")));
  plan.conditions[0].status = condition_status::no;
  const auto changed = rendered(*widget(status_in(first)), plan, {}, noon + std::chrono::hours(1));
  EXPECT_THAT(changed, ::testing::HasSubstr("2026-01-02T13:00:00Z"));
}

TEST(RenderStatus, LeavesTheObjectOfASilentPlanAlone) {
  const auto body = render_status(widget_spec(), *widget(), 3, {}, {}, noon);
  ASSERT_TRUE(body);
  EXPECT_FALSE(*body);
}

TEST(RenderStatus, AFailedPlanKeepsTheFieldsThatAreThere) {
  const auto first = rendered(*widget(), ready_plan(), {});
  plan_output failed;
  failed.verdict = plan_verdict::retry;
  const auto body = rendered(*widget(status_in(first)), failed, {{{"plan", "Broken", "boom"}}});
  const auto parsed = json::parse(body);
  EXPECT_EQ(json::string_at(*parsed, "/status/phase"), "Ready");
  EXPECT_THAT(body, ::testing::HasSubstr("boom"));
}

struct outcome_case {
  const char* name;
  bool plan_ready;
  bool failed;
  bool needs_a_person;
  condition_status ready, reconciling, stalled;
};
class CompleteConditions : public ::testing::TestWithParam<outcome_case> {};

TEST_P(CompleteConditions, SpeaksKstatus) {
  const auto& c = GetParam();
  plan_output plan;
  plan.conditions = {
      {"Ready", c.plan_ready ? condition_status::yes : condition_status::no, "R", ""}};
  attempt outcome;
  if (c.failed) outcome.failure = step_failure{"apply Deployment ns/w", "Forbidden", "no"};
  outcome.failure_needs_a_person = c.needs_a_person;
  const auto all = complete_conditions(plan, outcome);
  EXPECT_EQ(find(all, "Ready")->status, c.ready);
  EXPECT_EQ(find(all, "Reconciling")->status, c.reconciling);
  EXPECT_EQ(find(all, "Stalled")->status, c.stalled);
}

constexpr auto yes = condition_status::yes;
constexpr auto no = condition_status::no;
INSTANTIATE_TEST_SUITE_P(
    Table, CompleteConditions,
    ::testing::Values(outcome_case{"ready", true, false, false, yes, no, no},
                      outcome_case{"on its way", false, false, false, no, yes, no},
                      outcome_case{"may pass", true, true, false, no, yes, no},
                      outcome_case{"stuck", true, true, true, no, no, yes},
                      outcome_case{"stuck on its way", false, true, true, no, no, yes}),
    [](const auto& row) {
      std::string name = row.param.name;
      for (auto& c : name)
        c = c == ' ' ? '_' : c;
      return name;
    });

TEST(CompleteConditions, AFailureIsNeverBothReconcilingAndStalled) {
  for (const bool stuck : {false, true}) {
    plan_output plan;
    plan.conditions = {{"Reconciling", yes, "Rollout", ""}, {"Stalled", yes, "Crash", ""}};
    const auto all = complete_conditions(plan, {{{"apply", "Forbidden", "no"}}, stuck});
    EXPECT_EQ(find(all, "Stalled")->status, stuck ? yes : no);
    EXPECT_EQ(find(all, "Reconciling")->status, stuck ? no : yes);
  }
}

TEST(CompleteConditions, PluginsOwnStalledStays) {
  plan_output plan;
  plan.conditions = {{"Ready", no, "ImagePullBackOff", ""},
                     {"Stalled", yes, "ImagePullBackOff", "pod w-1"}};
  const auto all = complete_conditions(plan, {});
  EXPECT_EQ(find(all, "Stalled")->message, "pod w-1");
  EXPECT_EQ(find(all, "Reconciling")->status, no);
}

cache::object_ptr annotated(const std::string& value) {
  return cached(R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w",)"
                R"("namespace":"ns","uid":"u-1","annotations":{"oarlock.dev/paused":")" +
                value + R"("}},"spec":{}})");
}

TEST(Paused, IsTheAnnotationWithTheValueTrue) {
  EXPECT_TRUE(is_paused(*annotated("true")));
  EXPECT_FALSE(is_paused(*annotated("false")));
  EXPECT_FALSE(is_paused(*widget()));
}

TEST(RenderPaused, AddsOneConditionAndKeepsTheRest) {
  const auto before = status_in(rendered(*widget(), ready_plan(), {}));
  const auto body = render_paused(widget_spec(), *widget(before), noon);
  ASSERT_TRUE(body);
  ASSERT_TRUE(*body);
  const auto parsed = json::parse(**body);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(json::string_at(*parsed, "/status/phase"), "Ready");
  EXPECT_EQ(json::string_at(*parsed, "/status/conditions/0/type"), "Ready");
  EXPECT_EQ(json::string_at(*parsed, "/status/conditions/3/type"), "Paused");
  EXPECT_EQ(json::string_at(*parsed, "/status/conditions/3/status"), "True");
  const auto again = render_paused(widget_spec(), *widget(status_in(**body)), noon);
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again) << "said once";
}

TEST(RenderStatus, OfAPlanWithNothingToSayTakesBackWhatWasSaidOfAFailure) {
  EXPECT_FALSE(*render_status(widget_spec(), *widget(), 3, plan_output{}, {}, noon));
  for (const bool stuck : {false, true}) {
    attempt failed;
    failed.failure = step_failure{"plan", "Broken", "bang"};
    failed.failure_needs_a_person = stuck;
    const auto broken = widget(status_in(rendered(*widget(), plan_output{}, failed)));
    const auto after = status_in(rendered(*broken, plan_output{}, {}));
    EXPECT_THAT(after, ::testing::Not(::testing::HasSubstr("Broken")));
    EXPECT_FALSE(*render_status(widget_spec(), *widget(after), 3, plan_output{}, {}, noon));
  }
}

TEST(RenderPaused, IsTakenBackByTheNextPlan) {
  const auto ready = status_in(rendered(*widget(), ready_plan(), {}));
  const auto body = render_paused(widget_spec(), *widget(ready), noon);
  ASSERT_TRUE(body && *body);
  const auto paused = widget(status_in(**body));
  EXPECT_EQ(status_in(rendered(*paused, ready_plan(), {})), ready);
  EXPECT_THAT(rendered(*paused, plan_output{}, {}), ::testing::Not(::testing::HasSubstr("Paused")))
      << "also by a plan that has nothing to say";
}

}  // namespace
}  // namespace oarlock::controller
