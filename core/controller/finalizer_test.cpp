#include "core/controller/finalizer.hpp"

#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;

const std::string held = R"("finalizers":["example.com/other","oarlock.dev/widget"])";
const std::string dying = R"("deletionTimestamp":"2026-01-01T00:00:00Z")";

controller_spec finalizing() {
  auto spec = widget_spec();
  spec.finalizer = true;
  return spec;
}

class finalizers : public controller_world {
 protected:
  finalizers() : controller_world(finalizing()) {
    plan.run = [this](const plan_input& input) {
      deleting.push_back(input.deleting);
      plan_output out;
      out.finished = input.deleting && finish;
      if (!input.deleting || finish) out.apply_set.push_back(deployment("d", finish ? 0 : 1));
      return out;
    };
  }
  [[nodiscard]] std::string list() const {
    return api.at(widgets, "ns", "w", "/metadata/finalizers");
  }
  std::vector<bool> deleting;  // of each plan
  bool finish = false;
};

TEST_F(finalizers, the_finalizer_is_a_write_of_its_own_before_anything_else) {
  api.put(widgets, widget_json());
  lead();
  EXPECT_EQ(api.writes, (strings{"patch widgets w", "apply deployments d", "status widgets w"}));
  EXPECT_EQ(list(), R"(["oarlock.dev/widget"])");
  EXPECT_FALSE(deleting.front());
}

TEST_F(finalizers, others_keep_theirs) {
  api.put(widgets, widget_json("w", "", R"("finalizers":["example.com/other"])"));
  lead();
  EXPECT_EQ(list(), R"(["example.com/other","oarlock.dev/widget"])");
}

TEST_F(finalizers, no_plan_while_the_finalizer_cannot_be_written) {
  api.put(widgets, widget_json());
  api.intercept = [](const test::scripted_call_ptr& call) {
    if (call->request().method != "PATCH" || call->path().ends_with("/status")) return false;
    call->reply(403, R"({"kind":"Status","status":"Failure","reason":"Forbidden","code":403})");
    return true;
  };
  lead();
  EXPECT_EQ(plan.plans, 0);
  EXPECT_EQ(condition("Stalled", "status"), "True");
  EXPECT_EQ(condition("Stalled"), "Forbidden");
  api.intercept = {};
  settle(60s);
  EXPECT_GE(plan.plans, 1) << "and goes on by itself";
}

TEST_F(finalizers, a_deletion_that_came_between_is_seen_in_the_answer) {
  api.put(widgets, widget_json());
  api.intercept = [this](const test::scripted_call_ptr& call) {
    if (call->request().method != "PATCH") return false;
    api.intercept = {};
    api.deliver = false;  // the cache does not see it yet
    api.serve(call);
    api.erase(widgets, "ns", "w");
    return true;
  };
  // The answer is of before the deletion; the next one is not.
  lead();
  EXPECT_EQ(deleting, std::vector<bool>{false});

  finalizers::deleting.clear();
  api.deliver = true;
  api.put(widgets, widget_json("late"));
  api.intercept = [this](const test::scripted_call_ptr& call) {
    if (call->request().method != "PATCH" || !call->path().ends_with("/late")) return false;
    api.intercept = {};
    call->reply(200, widget_json("late", "", held + R"(,"resourceVersion":"1",)" + dying));
    return true;
  };
  settle();
  EXPECT_TRUE(deleting.empty()) << "an object that is being deleted was planned for as if not";
}

TEST_F(finalizers, an_object_that_is_gone_is_forgotten) {
  api.put(widgets, widget_json());
  api.intercept = [](const test::scripted_call_ptr& call) {
    if (call->request().method != "PATCH") return false;
    call->reply(404, R"({"kind":"Status","status":"Failure","reason":"NotFound","code":404})");
    return true;
  };
  lead();
  settle(60s);
  EXPECT_EQ(plan.plans, 0);
  EXPECT_EQ(metric("controller_runtime_reconcile_errors_total"), 0);
}

TEST_F(finalizers, a_deletion_is_planned_until_the_plugin_is_finished) {
  api.put(widgets, widget_json("w", "", held + "," + dying));
  lead();
  EXPECT_EQ(deleting, std::vector<bool>{true});
  EXPECT_EQ(list(), R"(["example.com/other","oarlock.dev/widget"])");
  finish = true;
  api.put(widgets, widget_json("w", "", held + "," + dying + R"(,"labels":{"now":"yes"})"));
  settle();
  EXPECT_EQ(list(), R"(["example.com/other"])");
  EXPECT_EQ(api.writes.back(), "patch widgets w");
  const auto writes = api.writes.size();
  settle(600s);
  EXPECT_EQ(api.writes.size(), writes);
  EXPECT_EQ(deleting, (std::vector<bool>{true, true}));
}

TEST_F(finalizers, the_finalizer_stays_while_a_step_of_the_last_plan_fails) {
  api.put(widgets, widget_json("w", "", held + "," + dying));
  finish = true;
  bool failing = true;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (!failing || call->path().find("deployments/") == std::string::npos) return false;
    call->reply(503, R"({"kind":"Status","status":"Failure","reason":"Busy","code":503})");
    return true;
  };
  lead();
  settle(10s);
  EXPECT_GT(plan.plans, 1);
  EXPECT_EQ(list(), R"(["example.com/other","oarlock.dev/widget"])");
  failing = false;
  settle(60s);
  EXPECT_EQ(list(), R"(["example.com/other"])");
}

TEST_F(finalizers, a_list_that_changed_meanwhile_is_read_again) {
  api.put(widgets, widget_json("w", "", held + "," + dying));
  finish = true;
  api.intercept = [this](const test::scripted_call_ptr& call) {
    if (call->path().ends_with("/w") && call->request().method == "PATCH") {
      api.intercept = {};
      api.put(widgets, widget_json("w", "", R"("finalizers":["oarlock.dev/widget"],)" + dying));
    }
    return false;
  };
  lead();
  settle(10s);
  EXPECT_FALSE(api.has(widgets, "ns", "w"));
}

TEST_F(finalizers, children_that_a_last_plan_does_not_name_are_left_to_garbage_collection) {
  api.put(widgets, widget_json());
  lead();
  ASSERT_TRUE(api.has(deployments, "ns", "d"));
  plan.run = [](const plan_input& input) {
    plan_output out;
    out.finished = input.deleting;
    return out;
  };
  api.erase(widgets, "ns", "w");
  settle();
  EXPECT_FALSE(api.has(widgets, "ns", "w"));
  EXPECT_TRUE(api.has(deployments, "ns", "d"));
}

class without_finalizer : public controller_world {};

TEST_F(without_finalizer, a_deletion_is_no_matter_of_the_controller) {
  api.put(widgets, widget_json("w", "", R"("finalizers":["example.com/other"],)" + dying));
  lead();
  EXPECT_EQ(plan.plans, 0);
  EXPECT_TRUE(api.writes.empty());
}

TEST_F(without_finalizer, one_of_an_earlier_version_is_let_go) {
  api.put(widgets, widget_json("w", "", held + "," + dying));
  lead();
  EXPECT_EQ(plan.plans, 0);
  EXPECT_EQ(api.at(widgets, "ns", "w", "/metadata/finalizers"), R"(["example.com/other"])");
}

}  // namespace
}  // namespace oarlock::controller
