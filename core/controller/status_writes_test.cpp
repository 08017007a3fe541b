// The status on its way to the server: lost answers, statuses of others, refusals.
#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;

class status_writes : public controller_world {
 protected:
  status_writes() {
    plan.run = [this](const plan_input&) {
      plan_output out;
      out.status_json = R"({"phase":")" + phase + "\"}";
      return out;
    };
    api.put(widgets, widget_json());
  }
  void relabel() {
    api.put(widgets, widget_json("w", R"("status":)" + api.at(widgets, "ns", "w", "/status"),
                                 R"("labels":{"n":"1"})"));
  }
  [[nodiscard]] std::string written_phase() const {
    return api.at(widgets, "ns", "w", "/status/phase");
  }
  std::string phase = "A";
};

TEST_F(status_writes, that_were_stored_and_whose_answer_was_lost_are_put_right) {
  lead();
  ASSERT_EQ(written_phase(), "A");
  phase = "B";
  api.intercept = [this](const test::scripted_call_ptr& call) {
    if (!call->path().ends_with("/status")) return false;
    api.intercept = {};
    phase = "A";  // what is wanted by the time of the next attempt, and what the cache still has
    api.hold = true;
    api.serve(std::make_shared<test::scripted_call>(call->request(), call->options()));
    call->break_off();
    call->answer(200);
    return true;
  };
  relabel();
  settle();
  ASSERT_EQ(written_phase(), "B");
  api.release();
  settle();
  EXPECT_EQ(written_phase(), "A");
}

// lastTransitionTime would be another one by then.
TEST_F(status_writes, that_were_stored_and_whose_answer_was_lost_are_written_once) {
  std::string failure;
  plan.run = [&failure](const plan_input& input) {
    if (input.last_failure) failure = input.last_failure->reason;
    plan_output out;
    out.conditions = {{"Ready", condition_status::yes, "Reconciled", ""}};
    return out;
  };
  int writes = 0;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (!call->path().ends_with("/status") || writes++ > 0) return false;
    api.hold = true;  // the watch is slower than the next attempt
    api.serve(std::make_shared<test::scripted_call>(call->request(), call->options()));
    call->break_off();
    call->answer(200);
    return true;
  };
  lead();
  settle(10s);
  api.release();
  settle(60s);
  EXPECT_EQ(writes, 1);
  EXPECT_EQ(failure, "") << "it was cleared up before the next plan";
  EXPECT_GT(plan.plans, 1);
  EXPECT_EQ(condition("Ready"), "Reconciled");
}

TEST_F(status_writes, of_others_are_put_right_also_in_the_middle_of_a_plan) {
  lead();
  ASSERT_EQ(written_phase(), "A");
  const auto theirs = [this] { api.put(widgets, widget_json("w", R"("status":{"phase":"X"})")); };
  theirs();
  settle();
  EXPECT_EQ(written_phase(), "A");
  // The plan has read the old one when theirs comes in.
  phase = "B";
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (!call->path().ends_with("/status")) return false;
    api.intercept = {};
    api.serve(call);
    theirs();
    return true;
  };
  relabel();
  settle(60s);
  EXPECT_EQ(written_phase(), "B");
}

TEST_F(status_writes, are_about_the_generation_that_was_planned_not_about_a_newer_one) {
  std::vector<std::string> observed;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (call->path().ends_with("/status")) {
      const auto body = json::parse(call->request().body);
      observed.push_back(
          std::to_string(json::int_at(*body, "/status/observedGeneration").value_or(0)) + " " +
          std::to_string(
              json::int_at(*body, "/status/conditions/0/observedGeneration").value_or(0)));
    }
    if (!call->path().ends_with("/deployments/d") || !observed.empty()) return false;
    api.serve(call);
    api.put(widgets, R"({"metadata":{"namespace":"ns","name":"w","uid":"u-w","generation":2}})");
    return true;
  };
  plan.run = [](const plan_input&) {
    plan_output out;
    out.apply_set = {deployment("d")};
    out.status_json = R"({"phase":"A"})";
    out.conditions = {{"Ready", condition_status::yes, "Reconciled", ""}};
    return out;
  };
  lead();
  EXPECT_THAT(observed, ::testing::ElementsAre("1 1", "2 2"));
}

// Two plugins with one primary kind would else wake each other with each status.
TEST_F(status_writes, of_others_beside_ours_call_for_no_plan) {
  lead();
  const int plans = plan.plans;
  const auto say = [this](const std::string& more) {
    auto status = api.at(widgets, "ns", "w", "/status");
    status.insert(status.size() - 1, more);
    api.put(widgets, widget_json("w", R"("status":)" + status));
    settle();
  };
  say(R"(,"theirs":1)");
  EXPECT_EQ(plan.plans, plans);
  api.put(widgets, widget_json("w", R"("status":{"theirs":1})"));
  settle();
  EXPECT_GT(plan.plans, plans) << "what we said is gone";
  EXPECT_EQ(written_phase(), "A");
}

TEST_F(status_writes, that_are_refused_are_told_by_an_event_and_to_the_next_plan) {
  std::string step;
  plan.run = [&](const plan_input& input) {
    if (input.last_failure) step = input.last_failure->step + " " + input.last_failure->reason;
    plan_output out;
    out.status_json = R"({"phase":"A"})";
    return out;
  };
  std::string told;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (call->path().find("/events") != std::string::npos) told += call->request().body;
    if (!call->path().ends_with("/status")) return false;
    call->reply(403, R"({"kind":"Status","status":"Failure","message":"not you","code":403})");
    return true;
  };
  lead();
  settle(30s);
  EXPECT_EQ(step, "status Forbidden");
  EXPECT_THAT(told, ::testing::HasSubstr("status: "));
  EXPECT_THAT(told, ::testing::HasSubstr("not you"));
  EXPECT_THAT(told, ::testing::HasSubstr(R"("reason":"Forbidden")"));
}

TEST_F(status_writes, of_our_own_call_for_no_plan) {
  lead();
  const int plans = plan.plans;
  phase = "B";
  relabel();
  settle(60s);
  EXPECT_EQ(written_phase(), "B");
  EXPECT_EQ(plan.plans, plans + 1);
}

}  // namespace
}  // namespace oarlock::controller
