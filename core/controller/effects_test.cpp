// Effects: steps that the plugin itself does, in their place among the others.
#include <boost/asio/io_context.hpp>

#include "core/controller/controller_world_test.hpp"
#include "core/election/errors.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;

effect_output failed(plan_verdict verdict, std::string reason, std::string message) {
  return {verdict, std::move(reason), std::move(message), {}};
}

class test_gate final : public kube::write_gate {
 public:
  [[nodiscard]] result<> check() const override {
    if (open) return {};
    return error{election::election_error::not_leading, "closed"};
  }
  bool open = true;
};

class effects : public controller_world {
 protected:
  effects() {
    plan.run = [this](const plan_input& input) {
      if (input.last_failure) failures.push_back(*input.last_failure);
      return wanted;
    };
    plan.act = [this](const effect_input& input) {
      api.writes.push_back("effect " + input.what.name);
      last = input;
      return answer;
    };
    wanted.conditions = {{"Ready", condition_status::yes, "Reconciled", ""}};
    wanted.steps.emplace_back(plugin_effect{"promote", R"({"to":1})"});
    api.put(widgets, widget_json());
  }
  ~effects() override {
    if (!lane) return;
    subject->follow();
    for (int i = 0; i < 3; ++i)
      let_go();
  }
  void lead_with(bool own_lane = false) {
    auto p = parts();
    p.gate = &gate;
    if (own_lane) p.lane = lane.emplace().get_executor();
    subject = std::make_unique<controller>(spec, p);
    subject->start();
    loop.run_ready();
    subject->lead();
    settle();
  }
  void let_go() {
    lane->restart();
    lane->poll();
    settle();
  }
  [[nodiscard]] int effects_done() const {
    return static_cast<int>(std::count(api.writes.begin(), api.writes.end(), "effect promote"));
  }
  void change() {
    api.put(widgets,
            widget_json("w", "", R"("labels":{"n":")" + std::to_string(++changes) + "\"}"));
    settle();
  }

  plan_output wanted;
  effect_output answer;
  std::optional<effect_input> last;
  std::vector<step_failure> failures;
  test_gate gate;
  std::optional<boost::asio::io_context> lane;
  int changes = 0;
};

TEST_F(effects, come_in_the_order_of_the_steps) {
  wanted.observation = std::make_shared<const std::string>(R"({"primary":0})");
  wanted.steps.clear();
  wanted.steps.emplace_back(create_once{deployment("first").json});
  wanted.steps.emplace_back(plugin_effect{"fence", ""});
  wanted.apply_set = {deployment("a")};
  wanted.steps_before_apply_set = 2;
  wanted.steps.emplace_back(plugin_effect{"promote", R"({"to":1})"});
  lead_with();
  ASSERT_GE(api.writes.size(), 4U);
  api.writes.resize(4);
  EXPECT_EQ(api.writes, (strings{"create deployments first", "effect fence", "apply deployments a",
                                 "effect promote"}));
  ASSERT_TRUE(last);
  EXPECT_EQ(last->key.text(), "ns/w");
  EXPECT_EQ(last->primary->meta().uid, "u-w");
  EXPECT_EQ(last->what.payload, R"({"to":1})");
  EXPECT_EQ(*last->observation, R"({"primary":0})");
  EXPECT_EQ(last->gate, &gate);
  EXPECT_EQ(last->time_left, effect_limit) << "of the 60 s of the reconcile";
  EXPECT_EQ(condition("Ready"), "Reconciled");
  EXPECT_GE(metric("oarlock_effect_total", "result=\"success\""), 2);
  EXPECT_GE(metric("oarlock_effect_duration_seconds_count"), 2);
}

TEST_F(effects, that_fail_drop_the_rest_and_are_tried_again_by_a_new_plan) {
  wanted.apply_set = {deployment("a")};
  wanted.steps_before_apply_set = 1;
  answer = failed(plan_verdict::retry, "ServerAway", "no answer from mysql-0");
  lead_with();
  EXPECT_EQ(api.at(deployments, "ns", "a", "/metadata/name"), "");
  EXPECT_EQ(condition("Reconciling"), "ServerAway");
  EXPECT_EQ(condition("Reconciling", "message"), "effect promote: no answer from mysql-0");
  ASSERT_FALSE(failures.empty());
  EXPECT_EQ(failures[0].step, "effect promote");
  EXPECT_EQ(failures[0].reason, "ServerAway");
  EXPECT_EQ(failures[0].message, "no answer from mysql-0");
  EXPECT_GE(metric("oarlock_effect_total", "result=\"error\""), 2);
  answer = {};
  settle(5min);
  EXPECT_EQ(api.at(deployments, "ns", "a", "/metadata/name"), "a");
  EXPECT_EQ(condition("Ready"), "Reconciled");
}

TEST_F(effects, that_fail_are_told_in_one_event_of_their_object) {
  answer = failed(plan_verdict::retry, "PluginCrashed", "it ended the plugin's process (SIGSEGV)");
  lead_with();
  EXPECT_EQ(api.told,
            strings{"PluginCrashed: effect promote: it ended the plugin's process (SIGSEGV)"});
}

TEST_F(effects, that_fail_past_the_deadline_are_told_in_an_event_too) {
  spec.reconcile_timeout = 10s;
  lead_with(true);
  let_go();  // the plan
  plan.act = [this](const effect_input&) {
    loop.advance(11s);
    return failed(plan_verdict::retry, "PluginCrashed", "it ended the plugin's process");
  };
  let_go();
  EXPECT_THAT(api.told,
              ::testing::Contains("PluginCrashed: effect promote: it ended the plugin's process"));
  plan.act = [](const effect_input&) { return effect_output{}; };
}

TEST_F(effects, that_cannot_be_are_left_alone_until_the_object_changes) {
  answer = failed(plan_verdict::terminal, "Never", "cannot be");
  lead_with();
  EXPECT_EQ(condition("Stalled"), "Never");
  settle(1h);
  EXPECT_EQ(effects_done(), 1);
  EXPECT_EQ(metric("controller_runtime_terminal_reconcile_errors_total"), 1);
  answer = {};
  change();
  EXPECT_EQ(effects_done(), 2);
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].reason, "Never");
  EXPECT_EQ(condition("Stalled", "status"), "False");
}

TEST_F(effects, do_not_start_while_another_process_may_lead) {
  gate.open = false;
  lead_with();
  settle(10s);
  EXPECT_EQ(effects_done(), 0);
  EXPECT_GE(metric("oarlock_effect_total", "result=\"not_started\""), 1);
  EXPECT_TRUE(failures.empty()) << "nothing failed";
  gate.open = true;
  settle(2s);
  EXPECT_EQ(effects_done(), 1);
}

TEST_F(effects, that_waited_for_a_thread_do_not_start_once_another_process_may_lead) {
  lead_with(true);
  let_go();  // the plan
  EXPECT_EQ(effects_done(), 0);
  gate.open = false;
  let_go();
  EXPECT_EQ(effects_done(), 0);
}

TEST_F(effects, believe_no_list_of_a_start_about_their_object) {
  int gets = 0;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    const bool reads = call->request().method == "GET" && call->path().ends_with("/widgets/w");
    if (!reads || ++gets > 1) return false;
    call->reply(200, widget_json("w", "", R"("resourceVersion":"4711")"));
    EXPECT_EQ(effects_done(), 0);
    return true;
  };
  lead_with();
  EXPECT_GE(gets, 1);
  ASSERT_FALSE(failures.empty());
  EXPECT_EQ(failures[0].reason, "ChangedMeanwhile");
  settle(1min);
  EXPECT_EQ(effects_done(), 1);
}

TEST_F(effects, that_hang_keep_their_key_and_are_named) {
  spec.max_concurrent_reconciles = 1;
  lead_with(true);
  let_go();  // the plan
  settle(61s);
  EXPECT_THAT(subject->hung_plans(), HasSubstr("effect promote of ns/w has not returned for"));
  EXPECT_EQ(condition("Reconciling"), "ReconcileTimeout");
  EXPECT_THAT(condition("Reconciling", "message"), HasSubstr("effect() still running"));
  EXPECT_EQ(metric("controller_runtime_active_workers"), 0);
  const int plans = plan.plans;
  change();
  let_go();
  EXPECT_EQ(effects_done(), 0) << "its time was over before it had a thread";
  let_go();
  EXPECT_GT(plan.plans, plans) << "planned again, after it";
  EXPECT_EQ(subject->hung_plans(), "");
}

TEST_F(effects, of_a_plugin_that_knows_none_are_refused) {
  plan.act = {};
  lead_with();
  EXPECT_EQ(condition("Stalled"), "UnknownEffect");
}

TEST_F(effects, that_throw_cost_one_retry) {
  plan.act = [](const effect_input&) -> effect_output { throw std::runtime_error("a bug"); };
  lead_with();
  EXPECT_EQ(condition("Reconciling"), "ReconcilePanicked");
}

TEST_F(effects, that_follow_a_write_of_unknown_outcome_wait_for_the_next_plan) {
  wanted.steps.insert(wanted.steps.begin(), create_once{deployment("first").json});
  bool lost = false;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (lost || call->request().method != "POST" || !call->path().ends_with("/deployments")) {
      return false;
    }
    lost = true;
    call->break_off();
    call->answer(200);
    return true;
  };
  lead_with();
  ASSERT_FALSE(failures.empty());
  EXPECT_EQ(failures[0].reason, "UnknownOutcome");
  settle(1min);
  const auto at = [&](const char* what) {
    return std::find(api.writes.begin(), api.writes.end(), what) - api.writes.begin();
  };
  EXPECT_GE(effects_done(), 1);
  EXPECT_LT(at("create deployments first"), at("effect promote"));
}

}  // namespace
}  // namespace oarlock::controller
