// Steps: their order, their preconditions, and what is not sent because it is already so.
#include "core/controller/controller_world_test.hpp"
#include "core/controller/patch.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;

const kube::resource pods{"", "v1", "Pod", "pods", true};

controller_spec stepping() {
  auto spec = widget_spec();
  spec.owns_uncached = {secrets};
  watch_spec watched{pods, {}, "app"};
  watched.may_patch = watched.may_delete = true;
  spec.watches.push_back(watched);
  return spec;
}

std::string pod(const std::string& version = "", const std::string& more = "") {
  return R"({"metadata":{"namespace":"ns","name":"p","uid":"u-p","labels":{"app":"w"})" +
         (version.empty() ? "" : R"(,"resourceVersion":")" + version + "\"") + "}" + more + "}";
}

intent secret(const std::string& value) {
  return {0, R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"k":")" +
                 value + "\"}}"};
}

step_target target(const kube::resource& r, const std::string& name, const std::string& uid,
                   const std::string& version = "") {
  return {r, name, uid, version};
}

class steps : public controller_world {
 protected:
  steps() : controller_world(stepping()) {
    plan.run = [this](const plan_input& input) {
      if (input.last_failure) failures.push_back(input.last_failure->step);
      return wanted(input);
    };
    api.put(widgets, widget_json());
  }
  /// The first request of that method gets no answer, whatever `meanwhile` does with it.
  void lose_answer_to(const std::string& method,
                      std::function<void(const test::scripted_call_ptr&)> meanwhile = {}) {
    api.intercept = [this, method, meanwhile](const test::scripted_call_ptr& call) {
      if (call->request().method != method) return false;
      const auto act = meanwhile;  // outlives the function it is part of
      api.intercept = {};
      if (act) act(call);
      call->break_off();
      call->answer(200);
      return true;
    };
  }
  // Another reconcile, as somebody's change of the object would cause it.
  void again() {
    api.put(widgets, widget_json("w", R"("status":)" + status(), labels()));
    settle();
  }
  std::string labels() { return R"("labels":{"n":")" + std::to_string(++changes) + "\"}"; }
  std::string status() {
    const auto text = api.at(widgets, "ns", "w", "/status");
    return text.empty() ? "{}" : text;
  }
  void refuse(const std::string& method, const std::string& part, int code) {
    api.intercept = [=](const test::scripted_call_ptr& call) {
      if (call->request().method != method || call->path().find(part) == std::string::npos) {
        return false;
      }
      call->reply(code, R"({"kind":"Status","status":"Failure","message":"no","code":)" +
                            std::to_string(code) + "}");
      return true;
    };
  }
  planned::function wanted;
  strings failures;
  int changes = 0;
};

TEST_F(steps, go_in_order_and_the_apply_set_is_one_of_them) {
  api.put(pods, pod());
  wanted = [](const plan_input& input) {
    plan_output out;
    out.status_json = R"({"step":"three"})";
    out.steps.emplace_back(create_once{deployment("first").json});
    out.steps.emplace_back(
        patch_existing{target(pods, "p", "u-p"), true, R"({"metadata":{"labels":{"x":"y"}}})"});
    out.steps.emplace_back(
        status_swap{R"({"step":"three"})", input.primary->meta().resource_version});
    out.apply_set = {deployment("b", 1, 1), deployment("a", 1, 0)};
    out.steps_before_apply_set = 1;
    return out;
  };
  lead();
  ASSERT_GE(api.writes.size(), 5U);
  api.writes.resize(5);
  EXPECT_EQ(api.writes, (strings{"create deployments first", "apply deployments a",
                                 "apply deployments b", "patch pods p", "status widgets w"}));
}

TEST_F(steps, a_failed_step_drops_the_rest_and_is_named_to_the_next_plan) {
  api.put(pods, pod());
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {deployment("a")};
    out.steps.emplace_back(
        patch_existing{target(pods, "p", "u-p"), true, R"({"metadata":{"labels":{"x":"y"}}})"});
    out.steps.emplace_back(create_once{deployment("last").json});
    return out;
  };
  refuse("PATCH", "/pods/p", 403);
  lead();
  settle(10s);
  EXPECT_FALSE(api.has(deployments, "ns", "last"));
  EXPECT_TRUE(api.has(deployments, "ns", "a"));
  ASSERT_FALSE(failures.empty());
  EXPECT_EQ(failures.front(), "patch Pod ns/p");
  EXPECT_EQ(condition("Stalled"), "Forbidden");
  api.intercept = {};
  settle(60s);
  EXPECT_TRUE(api.has(deployments, "ns", "last"));
}

TEST_F(steps, a_group_that_fails_keeps_the_later_groups_back) {
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {deployment("one", 1, 0), deployment("two", 1, 1)};
    return out;
  };
  refuse("PATCH", "/deployments/one", 503);
  lead();
  settle(5s);
  EXPECT_FALSE(api.has(deployments, "ns", "two"));
  api.intercept = {};
  settle(60s);
  EXPECT_TRUE(api.has(deployments, "ns", "two"));
}

TEST_F(steps, what_is_created_once_is_neither_changed_nor_pruned) {
  int replicas = 1;
  wanted = [&](const plan_input&) {
    plan_output out;
    out.steps.emplace_back(create_once{deployment("d", replicas).json});
    return out;
  };
  lead();
  EXPECT_EQ(api.at(deployments, "ns", "d", "/spec/replicas"), "1");
  replicas = 5;
  again();
  EXPECT_EQ(api.at(deployments, "ns", "d", "/spec/replicas"), "1");
  EXPECT_EQ(std::count(api.writes.begin(), api.writes.end(), "create deployments d"), 1);
  wanted = {};
  plan.run = [](const plan_input&) { return plan_output{}; };
  again();
  EXPECT_FALSE(api.has(deployments, "ns", "d")) << "what no plan mentions goes";
}

TEST_F(steps, a_name_that_somebody_else_has_is_not_created_over) {
  api.intercept = [this](const test::scripted_call_ptr& call) {
    if (call->request().method != "POST") return false;
    api.intercept = {};
    api.put(deployments, R"({"metadata":{"namespace":"ns","name":"e","uid":"u-e"}})");
    return false;
  };
  wanted = [](const plan_input&) {
    plan_output out;
    out.steps.emplace_back(create_once{deployment("e").json});
    return out;
  };
  lead();
  EXPECT_EQ(condition("Stalled"), "NameTaken");
  EXPECT_EQ(api.at(deployments, "ns", "e", "/metadata/ownerReferences"), "");
}

TEST_F(steps, a_patch_is_guarded_by_uid_and_never_makes_an_object) {
  api.put(pods, pod());
  wanted = [](const plan_input&) {
    plan_output out;
    for (const bool merge : {true, false}) {
      const auto name = merge ? "p" : "q";
      out.steps.emplace_back(patch_existing{target(pods, name, std::string("gone-") + name), merge,
                                            R"({"metadata":{"labels":{"x":"y"}}})"});
    }
    return out;
  };
  lead();
  EXPECT_EQ(api.at(pods, "ns", "p", "/metadata/labels/x"), "") << "another object of that name";
  EXPECT_EQ(condition("Reconciling"), "ChangedMeanwhile");
  api.erase(pods, "ns", "p");
  settle(60s);
  EXPECT_FALSE(api.has(pods, "ns", "p"));
  EXPECT_FALSE(api.has(pods, "ns", "q"));
}

TEST_F(steps, a_patch_that_the_object_already_says_is_not_sent) {
  api.put(pods, pod());
  for (const bool merge : {true, false}) {
    wanted = [merge](const plan_input&) {
      plan_output out;
      out.steps.emplace_back(patch_existing{
          target(pods, "p", "u-p"), merge,
          merge ? R"({"metadata":{"labels":{"x":"y","z":null}}})" : R"({"spec":{"a":1}})"});
      return out;
    };
    api.writes.clear();
    if (merge) {
      lead();
    } else {
      again();
    }
    EXPECT_EQ(
        std::count(api.writes.begin(), api.writes.end(), merge ? "patch pods p" : "apply pods p"),
        1);
    again();
    again();
    EXPECT_EQ(
        std::count(api.writes.begin(), api.writes.end(), merge ? "patch pods p" : "apply pods p"),
        1);
  }
  EXPECT_EQ(api.at(pods, "ns", "p", "/metadata/labels/x"), "y");
  EXPECT_EQ(api.at(pods, "ns", "p", "/spec/a"), "1");
}

TEST_F(steps, a_delete_meets_only_the_object_that_was_seen) {
  api.put(pods, pod());
  std::string uid = "another";
  wanted = [&](const plan_input&) {
    plan_output out;
    out.steps.emplace_back(delete_object{target(pods, "p", uid), 5, "Foreground"});
    return out;
  };
  lead();
  EXPECT_TRUE(api.has(pods, "ns", "p"));
  EXPECT_EQ(std::count(api.writes.begin(), api.writes.end(), "delete pods p"), 0);
  uid = "u-p";
  again();
  EXPECT_FALSE(api.has(pods, "ns", "p"));
  again();
  EXPECT_EQ(std::count(api.writes.begin(), api.writes.end(), "delete pods p"), 1);
}

TEST_F(steps, a_delete_with_a_version_that_is_not_the_objects_is_refused) {
  api.put(pods, pod());
  wanted = [](const plan_input&) {
    plan_output out;
    out.steps.emplace_back(delete_object{target(pods, "p", "u-p", "1"), {}, "Background"});
    return out;
  };
  lead();
  EXPECT_TRUE(api.has(pods, "ns", "p"));
  EXPECT_EQ(condition("Reconciling"), "ChangedMeanwhile");
}

TEST_F(steps, of_an_owned_kind_only_children_are_touched) {
  api.put(deployments, R"({"metadata":{"namespace":"ns","name":"x","uid":"u-x"}})");
  wanted = [](const plan_input&) {
    plan_output out;
    out.steps.emplace_back(delete_object{target(deployments, "x", "u-x"), {}, "Background"});
    return out;
  };
  lead();
  EXPECT_TRUE(api.has(deployments, "ns", "x"));
  EXPECT_EQ(condition("Stalled"), "NameTaken");
}

TEST_F(steps, the_status_is_swapped_only_on_the_version_that_was_seen) {
  bool stale = true;
  wanted = [&](const plan_input& input) {
    plan_output out;
    out.steps.emplace_back(
        status_swap{R"({"epoch":7})", stale ? "3" : input.primary->meta().resource_version});
    out.apply_set = {deployment("after")};
    out.steps_before_apply_set = 1;
    out.status_json = R"({"epoch":7,"phase":"Done"})";
    return out;
  };
  lead();
  EXPECT_FALSE(api.has(deployments, "ns", "after"));
  EXPECT_EQ(condition("Reconciling"), "ChangedMeanwhile");
  stale = false;
  settle(60s);
  EXPECT_TRUE(api.has(deployments, "ns", "after"));
  EXPECT_EQ(api.at(widgets, "ns", "w", "/status/epoch"), "7");
  EXPECT_EQ(api.at(widgets, "ns", "w", "/status/phase"), "Done");
  const auto before = api.writes.size();
  again();
  EXPECT_EQ(api.writes.size(), before) << "it is on record already";
}

TEST_F(steps, secrets_are_read_by_name_compared_by_hash_and_never_listed) {
  std::string value = "one";
  wanted = [&](const plan_input&) {
    plan_output out;
    out.apply_set = {secret(value)};
    return out;
  };
  lead();
  EXPECT_EQ(api.at(secrets, "ns", "s", "/stringData/k"), "one");
  again();
  again();
  EXPECT_EQ(std::count(api.writes.begin(), api.writes.end(), "apply secrets s"), 1);
  value = "two";
  again();
  EXPECT_EQ(api.at(secrets, "ns", "s", "/stringData/k"), "two");
  for (const auto& call : api.transport.calls()) {
    EXPECT_FALSE(call->path().ends_with("/secrets")) << call->request().target;
  }
}

TEST_F(steps, a_secret_of_somebody_else_is_left_alone) {
  api.put(secrets, R"({"metadata":{"namespace":"ns","name":"s","uid":"u-s"}})");
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {secret("x")};
    return out;
  };
  lead();
  EXPECT_EQ(condition("Stalled"), "NameTaken");
  EXPECT_EQ(api.at(secrets, "ns", "s", "/stringData/k"), "");
  wanted = [](const plan_input&) {
    plan_output out;
    out.steps.emplace_back(delete_object{target(secrets, "s", ""), {}, "Background"});
    return out;
  };
  settle(60s);
  EXPECT_TRUE(api.has(secrets, "ns", "s"));
}

TEST_F(steps, a_secret_of_our_own_is_deleted_by_name) {
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {secret("x")};
    return out;
  };
  lead();
  ASSERT_TRUE(api.has(secrets, "ns", "s"));
  wanted = [](const plan_input&) {
    plan_output out;
    out.steps.emplace_back(delete_object{target(secrets, "s", ""), {}, "Background"});
    return out;
  };
  again();
  EXPECT_FALSE(api.has(secrets, "ns", "s"));
}

TEST_F(steps, pruning_names_uid_and_version) {
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {deployment("old")};
    return out;
  };
  lead();
  std::string body;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (call->request().method == "DELETE") body = call->request().body;
    return false;
  };
  const auto uid = api.at(deployments, "ns", "old", "/metadata/uid");
  const auto version = api.at(deployments, "ns", "old", "/metadata/resourceVersion");
  wanted = [](const plan_input&) { return plan_output{}; };
  again();
  const auto parsed = json::parse(body);
  ASSERT_TRUE(parsed) << body;
  EXPECT_EQ(json::string_at(*parsed, "/preconditions/uid"), uid);
  EXPECT_EQ(json::string_at(*parsed, "/preconditions/resourceVersion"), version);
}

TEST_F(steps, after_a_lost_answer_the_server_is_read_before_anything_is_written) {
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {deployment("d", 2)};
    return out;
  };
  lose_answer_to("PATCH");
  lead();
  settle(5s);
  EXPECT_EQ(std::count(api.writes.begin(), api.writes.end(), "apply deployments d"), 1);
  std::size_t reads = 0;
  for (const auto& call : api.transport.calls()) {
    if (call->request().method == "GET" && call->path().ends_with("/deployments/d")) ++reads;
  }
  EXPECT_EQ(reads, 1U);
}

TEST_F(steps, a_first_apply_leaves_a_strangers_object_alone_also_when_its_answer_is_lost) {
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {deployment("d", 2)};
    return out;
  };
  lose_answer_to("PATCH", [this](const test::scripted_call_ptr& call) {
    api.put(deployments,
            R"({"metadata":{"namespace":"ns","name":"d","uid":"u-d"},"spec":{"x":1}})");
    api.serve(std::make_shared<test::scripted_call>(call->request(), call->options()));
  });
  lead();
  settle(60s);
  EXPECT_EQ(api.at(deployments, "ns", "d", "/metadata/ownerReferences"), "");
  EXPECT_EQ(api.at(deployments, "ns", "d", "/spec"), R"({"x":1})");
  EXPECT_EQ(condition("Stalled"), "NameTaken");
}

TEST_F(steps, a_child_that_the_cache_has_not_seen_yet_is_neither_written_again_nor_a_strangers) {
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {deployment("d", 2)};
    return out;
  };
  std::string version;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (call->request().method != "PATCH" || !call->path().ends_with("/deployments/d")) {
      return false;
    }
    if (!version.empty()) return false;
    // An earlier leader's write, of which no watch has told.
    api.deliver = false;
    api.serve(std::make_shared<test::scripted_call>(call->request(), call->options()));
    version = api.at(deployments, "ns", "d", "/metadata/resourceVersion");
    return false;
  };
  lead();
  EXPECT_EQ(api.at(deployments, "ns", "d", "/metadata/resourceVersion"), version);
  EXPECT_EQ(condition("Reconciling"), "ChangedMeanwhile");
  api.deliver = true;
  api.put(deployments, widget_json("other"));  // the watch goes on
  settle(60s);
  EXPECT_EQ(condition("Stalled", "status"), "False");
  EXPECT_NE(api.at(deployments, "ns", "d", "/metadata/ownerReferences"), "");
}

TEST_F(steps, a_child_that_came_and_went_unseen_is_made_again) {
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {deployment("d")};
    return out;
  };
  api.intercept = [this](const test::scripted_call_ptr& call) {
    if (!call->path().ends_with("/deployments/d")) return false;
    api.intercept = {};
    api.deliver = false;
    api.serve(call);
    api.erase(deployments, "ns", "d");
    api.deliver = true;
    return true;
  };
  lead();
  ASSERT_FALSE(api.has(deployments, "ns", "d"));
  api.put(deployments, widget_json("other"));  // the watch goes on after both
  settle(20s);
  EXPECT_TRUE(api.has(deployments, "ns", "d"));
}

// The same, and the watch has caught up before the reconcile ends.
TEST_F(steps, a_child_that_came_and_went_during_its_own_reconcile_is_made_again) {
  wanted = [](const plan_input&) {
    plan_output out;
    out.apply_set = {deployment("d")};
    return out;
  };
  test::scripted_call_ptr status;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    if (call->path().ends_with("/widgets/w/status")) {
      status = call;
      return true;
    }
    if (!call->path().ends_with("/deployments/d")) return false;
    api.deliver = false;
    api.serve(call);
    api.erase(deployments, "ns", "d");
    api.deliver = true;
    return true;
  };
  lead();
  ASSERT_TRUE(status);
  api.put(deployments, widget_json("other"));
  settle();
  api.intercept = {};
  api.serve(status);
  settle(20s);
  EXPECT_TRUE(api.has(deployments, "ns", "d"));
}

// Two primaries name one child, each with a size of its own.
TEST_F(steps, V11_a_child_that_two_name_has_one_owner_and_the_other_says_so) {
  wanted = [](const plan_input& input) {
    plan_output out;
    out.apply_set = {deployment("shared", input.key.name == "w" ? 1 : 2)};
    return out;
  };
  api.put(widgets, widget_json("x"));
  lead();
  settle(60s);
  const auto owner = api.at(deployments, "ns", "shared", "/metadata/ownerReferences/0/name");
  const std::string other = owner == "w" ? "x" : "w";
  EXPECT_EQ(condition("Stalled", "status", owner), "False");
  EXPECT_EQ(condition("Stalled", "reason", other), "NameTaken");
  const auto writes = api.writes.size();
  settle(10min);
  EXPECT_EQ(api.writes.size(), writes) << "no ping-pong";
  // When the owner goes, and its child with it, the other gets the name.
  api.erase(widgets, "ns", owner);
  api.erase(deployments, "ns", "shared");
  settle(20min);
  EXPECT_EQ(api.at(deployments, "ns", "shared", "/metadata/ownerReferences/0/name"), other);
  EXPECT_EQ(condition("Stalled", "status", other), "False");
}

TEST_F(steps, what_was_created_without_an_answer_is_looked_for_before_it_is_created_again) {
  wanted = [](const plan_input&) {
    plan_output out;
    out.steps.emplace_back(create_once{deployment("d").json});
    return out;
  };
  lose_answer_to("POST", [this](const test::scripted_call_ptr& call) {
    api.deliver = false;  // the watch has not said so yet
    api.put(deployments, call->request().body);
  });
  lead();
  api.deliver = true;
  again();
  settle(20s);
  EXPECT_TRUE(
      std::any_of(api.transport.calls().begin(), api.transport.calls().end(), [](const auto& call) {
        return call->request().method == "GET" && call->path().ends_with("/deployments/d");
      }));
  EXPECT_EQ(std::count(api.writes.begin(), api.writes.end(), "create deployments d"), 0);
}

TEST(complete_patch, says_for_which_object_it_is) {
  const patch_existing apply{{pods, "p", "u", "7"}, false, R"({"spec":{"a":1}})"};
  const auto body = complete_patch(apply, stepping(), "ns", nullptr);
  ASSERT_TRUE(body);
  const auto parsed = json::parse(*body);
  EXPECT_EQ(json::string_at(*parsed, "/metadata/uid"), "u");
  EXPECT_EQ(json::string_at(*parsed, "/metadata/resourceVersion"), "7");
  EXPECT_EQ(json::string_at(*parsed, "/metadata/name"), "p");
  EXPECT_EQ(json::string_at(*parsed, "/metadata/namespace"), "ns");
  EXPECT_EQ(json::string_at(*parsed, "/kind"), "Pod");
  EXPECT_FALSE(complete_patch({{pods, "p", "u", ""}, true, "[1]"}, stepping(), "ns", nullptr));
  EXPECT_FALSE(complete_patch({{pods, "p", "u", ""}, true, "{"}, stepping(), "ns", nullptr));
}

TEST(complete_patch, what_it_made_of_the_object_is_not_sent_again) {
  const patch_existing steps[] = {
      {{pods, "p", "u", "7"}, false, R"({"spec":{"a":1}})"},
      {{pods, "p", "u", ""}, false, R"({"kind":"Other","metadata":{"uid":"x","name":"y"}})"},
      {{pods, "p", "u", ""}, false, R"({"metadata":{"annotations":7}})"},
      {{pods, "p", "u", ""}, true, R"({"metadata":{"uid":"x","labels":{"a":"b"}}})"},
      {{pods, "p", "u", "7"}, true, R"({"metadata":7})"},
  };
  for (const auto& step : steps) {
    const auto body = complete_patch(step, stepping(), "ns", nullptr);
    ASSERT_TRUE(body) << step.json;
    cache::object_meta meta;
    meta.uid = "u";
    const cache::object same(meta, *body);
    meta.uid = "another";
    const cache::object other(meta, *body);
    EXPECT_EQ(complete_patch(step, stepping(), "ns", &same).value(), "") << step.json;
    EXPECT_EQ(complete_patch(step, stepping(), "ns", &other).value(), *body) << step.json;
  }
}

}  // namespace
}  // namespace oarlock::controller
