// What a reconcile that takes too long, or throws, costs: itself, and nobody else.
#include <boost/asio/thread_pool.hpp>

#include <stdexcept>

#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;

// A lane that runs nothing until the test lets it: a plan on it hangs.
class stuck_lane : public controller_world {
 protected:
  stuck_lane() {
    plan.run = [](const plan_input&) {
      plan_output out;
      out.conditions = {{"Ready", condition_status::yes, "Reconciled", ""}};
      return out;
    };
  }
  // Starts the controller with a lane of its own.
  void lead_with_lane() {
    auto p = parts();
    p.lane = lane.get_executor();
    subject = std::make_unique<controller>(spec, p);
    subject->start();
    loop.run_ready();
    subject->lead();
    settle();
  }
  void let_go() {
    lane.restart();
    lane.poll();
    settle();
  }
  boost::asio::io_context lane;
};

TEST_F(stuck_lane, a_plan_that_hangs_keeps_its_key_and_gives_its_worker_away) {
  spec.max_concurrent_reconciles = 1;
  api.put(widgets, widget_json("w"));
  lead_with_lane();
  EXPECT_EQ(metric("controller_runtime_active_workers"), 1);
  EXPECT_EQ(metric("controller_runtime_reconcile_timeouts_total"), 0);
  settle(61s);
  EXPECT_EQ(metric("controller_runtime_reconcile_timeouts_total"), 1);
  EXPECT_EQ(metric("controller_runtime_active_workers"), 0);
  EXPECT_THAT(subject->hung_plans(), ::testing::HasSubstr("plan of ns/w has not returned for"));
  EXPECT_EQ(condition("Reconciling"), "ReconcileTimeout");
  EXPECT_GE(metric("workqueue_longest_running_processor_seconds"), 60);
  EXPECT_GE(metric("workqueue_unfinished_work_seconds"), 60);
  api.put(widgets, widget_json("w", "", R"("labels":{"a":"b"})"));
  api.put(widgets, widget_json("x"));
  settle();
  EXPECT_EQ(plan.plans, 0) << "both wait for the lane, and w for its first plan";
  EXPECT_EQ(metric("controller_runtime_active_workers"), 1) << "the other key has the worker";
  settle(61s);
  api.put(widgets, widget_json("y"));
  settle();
  EXPECT_EQ(metric("workqueue_depth", "priority=\"0\""), 1) << "as many hang as there are workers";
  for (int i = 0; i < 4; ++i)
    let_go();
  EXPECT_EQ(subject->hung_plans(), "");
  EXPECT_EQ(condition("Ready", "reason", "w"), "Reconciled") << "planned again, and well";
  EXPECT_EQ(condition("Ready", "reason", "y"), "Reconciled");
}

TEST_F(stuck_lane, how_a_plan_past_its_deadline_failed_is_told_in_an_event_of_its_object) {
  api.put(widgets, widget_json("w"));
  plan.run = [](const plan_input&) {
    plan_output out;
    out.verdict = plan_verdict::retry;
    out.fail_reason = "PluginCrashed";
    out.fail_message = "it ended the plugin's process (SIGSEGV)";
    return out;
  };
  lead_with_lane();
  settle(61s);
  EXPECT_THAT(api.told, ::testing::ElementsAre(::testing::HasSubstr("ReconcileTimeout: plan: ")));
  let_go();
  EXPECT_THAT(api.told,
              ::testing::Contains("PluginCrashed: plan: it ended the plugin's process (SIGSEGV)"));
  subject->follow();
  for (int i = 0; i < 3; ++i)
    let_go();
}

TEST_F(stuck_lane, all_records_of_a_plan_that_hangs_carry_one_id) {
  api.put(widgets, widget_json("w"));
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (call->path().find("/widgets/w/status") == std::string::npos) return false;
    call->reply(200, "{}", {{"Warning", "299 - \"hear\""}});
    return true;
  };
  lead_with_lane();
  log_configure(log_level::info, log_format::json);
  ::testing::internal::CaptureStderr();
  settle(61s);
  std::istringstream said(::testing::internal::GetCapturedStderr());
  strings ids;
  for (std::string line; std::getline(said, line);) {
    const auto record = json::parse(line);
    ASSERT_TRUE(record) << line;
    EXPECT_EQ(json::string_at(*record, "/name"), "w") << line;
    ids.emplace_back(json::string_at(*record, "/reconcileID"));
  }
  ASSERT_EQ(ids.size(), 2U) << "past its deadline, and the warning to the status that says so";
  EXPECT_EQ(ids[0].size(), 36U);
  EXPECT_EQ(ids[0], ids[1]);
  log_configure(log_level::error, log_format::text);
  api.intercept = {};
  for (int i = 0; i < 3; ++i)
    let_go();
}

TEST_F(stuck_lane, a_delay_that_ends_while_every_worker_is_busy_waits_for_one_in_the_queue) {
  spec.max_concurrent_reconciles = 1;
  plan.run = [](const plan_input&) {
    plan_output out;
    out.requeue_after = 5s;
    return out;
  };
  api.put(widgets, widget_json("w"));
  lead_with_lane();
  let_go();
  api.put(widgets, widget_json("x"));
  settle(10s);
  EXPECT_EQ(subject->snapshot(9).ready.size(), 1U) << "w is due, and x has the worker";
  EXPECT_EQ(plan.plans, 1);
  let_go();
  let_go();
  EXPECT_EQ(plan.plans, 3);
}

TEST_F(stuck_lane, a_drain_waits_for_a_plan_that_hangs) {
  api.put(widgets, widget_json("w"));
  lead_with_lane();
  settle(61s);
  bool drained = false;
  boost::asio::co_spawn(
      loop.loop(),
      [](controller* c, bool* done) -> task<> {
        co_await c->drain();
        *done = true;
      }(subject.get(), &drained),
      boost::asio::detached);
  settle(5s);
  EXPECT_FALSE(drained);
  let_go();
  EXPECT_TRUE(drained);
}

class deadlines : public controller_world {
 protected:
  deadlines() {
    plan.run = [this](const plan_input& input) {
      if (input.last_failure) failure = *input.last_failure;
      plan_output out;
      out.apply_set = {deployment("d")};
      return out;
    };
    api.put(widgets, widget_json());
  }
  step_failure failure;
};

TEST_F(deadlines, steps_end_with_it_and_say_so) {
  spec.reconcile_timeout = 10s;
  bool silent = true;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    return silent && call->path().ends_with("/deployments/d");  // never answered
  };
  lead();
  settle(8s);
  EXPECT_EQ(metric("controller_runtime_reconcile_timeouts_total"), 0);
  settle(2s);
  EXPECT_EQ(metric("controller_runtime_reconcile_timeouts_total"), 1);
  EXPECT_EQ(condition("Reconciling"), "ReconcileTimeout");
  EXPECT_EQ(failure.step, "apply Deployment ns/d");
  EXPECT_EQ(failure.reason, "ReconcileTimeout");
  silent = false;
  settle(60s);
  EXPECT_TRUE(api.has(deployments, "ns", "d"));
  EXPECT_EQ(condition("Ready"), "Reconciled");
}

TEST_F(deadlines, an_exception_is_counted_and_costs_its_key_a_retry) {
  bool broken = true;
  plan.run = [&](const plan_input&) -> plan_output {
    if (broken) throw std::runtime_error("bang");
    return {};
  };
  lead();
  EXPECT_GE(metric("controller_runtime_reconcile_panics_total"), 1);
  EXPECT_GE(metric("controller_runtime_reconcile_errors_total"), 1);
  EXPECT_EQ(condition("Reconciling"), "ReconcilePanicked");
  broken = false;
  settle(60s);
  EXPECT_EQ(condition("Ready"), "Reconciled");
}

TEST_F(deadlines, an_exception_out_of_a_plugin_is_counted_too) {
  plan.run = [](const plan_input&) {
    plan_output out;
    out.verdict = plan_verdict::terminal;
    out.fail_reason = threw_reason;
    return out;
  };
  lead();
  EXPECT_EQ(metric("controller_runtime_reconcile_panics_total"), 1);
  EXPECT_EQ(metric("controller_runtime_terminal_reconcile_errors_total"), 1);
}

TEST_F(deadlines, every_name_that_dashboards_expect_is_there_from_the_start) {
  subject = std::make_unique<controller>(spec, parts());
  const auto text = metrics->serialize();
  for (const char* name :
       {"controller_runtime_reconcile_total", "controller_runtime_reconcile_errors_total",
        "controller_runtime_terminal_reconcile_errors_total",
        "controller_runtime_reconcile_panics_total", "controller_runtime_reconcile_timeouts_total",
        "controller_runtime_reconcile_time_seconds_count",
        "controller_runtime_max_concurrent_reconciles", "controller_runtime_active_workers",
        "workqueue_depth", "workqueue_adds_total", "workqueue_queue_duration_seconds_count",
        "workqueue_work_duration_seconds_count", "workqueue_unfinished_work_seconds",
        "workqueue_longest_running_processor_seconds", "workqueue_retries_total"}) {
    EXPECT_THAT(text, ::testing::HasSubstr(std::string("\n") + name + "{")) << name;
  }
  for (const char* result : {"success", "error", "requeue", "requeue_after"}) {
    EXPECT_EQ(
        metric("controller_runtime_reconcile_total", std::string("result=\"") + result + "\""), 0);
  }
}

}  // namespace
}  // namespace oarlock::controller
