// From a changed object to the keys that it concerns, and into the inputs of their plans.
#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;

const kube::resource watched_pods{"", "v1", "Pod", "pods", true};

std::string watched_pod(const std::string& name, const std::string& meta = "") {
  return R"({"metadata":{"namespace":"ns","name":")" + name + R"(","uid":"u-)" + name + "\"" +
         (meta.empty() ? "" : "," + meta) + "}}";
}

class watched : public controller_world {
 protected:
  watched() {
    plan.run = [this](const plan_input& input) {
      planned_keys.push_back(input.key.name);
      for (const auto& given : input.watched)
        inputs[input.key.name] = given.object->meta().key.name;
      return plan_output{};
    };
  }
  void watch(const std::function<void(watch_spec&)>& how) {
    watch_spec w{watched_pods};
    how(w);
    spec.watches = {w};
  }
  // The keys that were planned since the last look, each once.
  strings planned_since() {
    settle();
    std::sort(planned_keys.begin(), planned_keys.end());
    planned_keys.erase(std::unique(planned_keys.begin(), planned_keys.end()), planned_keys.end());
    return std::exchange(planned_keys, {});
  }
  strings planned_keys;
  std::map<std::string, std::string> inputs;
};

TEST_F(watched, a_json_pointer_of_the_primary_names_the_object) {
  watch([](watch_spec& w) { w.map_by_pointer = "/spec/uses/name"; });
  api.put(watched_pods, watched_pod("p"));
  api.put(widgets, widget_json("a", R"("spec":{"uses":{"name":"p"}})"));
  api.put(widgets, widget_json("b", R"("spec":{"uses":{"name":"p"}})"));
  api.put(widgets, widget_json("c", R"("spec":{"uses":{"name":"q"}})"));
  lead();
  EXPECT_EQ(planned_since(), (strings{"a", "b", "c"}));
  EXPECT_EQ(inputs, (std::map<std::string, std::string>{{"a", "p"}, {"b", "p"}}));
  api.put(watched_pods, watched_pod("p", R"("labels":{"x":"y"})"));
  EXPECT_EQ(planned_since(), (strings{"a", "b"}));
  api.put(watched_pods, watched_pod("q"));
  EXPECT_EQ(planned_since(), strings{"c"}) << "one that was missing has come";
  api.erase(watched_pods, "ns", "q");
  EXPECT_EQ(planned_since(), strings{"c"});
  api.put(widgets, widget_json("a", R"("spec":{"uses":{"name":"q"}})", R"("labels":{"n":"1"})"));
  EXPECT_EQ(planned_since(), strings{"a"});
  api.put(watched_pods, watched_pod("p"));
  EXPECT_EQ(planned_since(), strings{"b"}) << "a looks elsewhere now";
}

TEST_F(watched, an_object_that_moves_concerns_its_old_and_its_new_primary) {
  watch([](watch_spec& w) {
    w.map_by_label = "app";
    w.on_annotations = true;
  });
  api.put(widgets, widget_json("a"));
  api.put(widgets, widget_json("b"));
  api.put(watched_pods, watched_pod("p", R"("labels":{"app":"a"})"));
  lead();
  (void)planned_since();
  api.put(watched_pods, watched_pod("p", R"("labels":{"app":"b"})"));
  EXPECT_EQ(planned_since(), (strings{"a", "b"}));
}

TEST_F(watched, an_owner_reference_names_the_primary_if_the_uid_fits) {
  watch([](watch_spec& w) { w.map_by_owner = true; });
  api.put(widgets, widget_json("a"));
  api.put(widgets, widget_json("b"));
  lead();
  (void)planned_since();
  const auto owner = [](const std::string& name, const std::string& uid) {
    return R"("ownerReferences":[{"apiVersion":"example.com/v1","kind":"Widget","name":")" + name +
           R"(","uid":")" + uid + "\"}]";
  };
  api.put(watched_pods, watched_pod("p", owner("a", "u-a")));
  api.put(watched_pods, watched_pod("q", owner("b", "of-an-earlier-b")));
  EXPECT_EQ(planned_since(), strings{"a"});
  EXPECT_EQ(inputs["a"], "p");
}

TEST_F(watched, a_change_of_an_owned_or_watched_object_is_one_plan) {
  watch([](watch_spec& w) { w.map_by_label = "app"; });
  api.put(widgets, widget_json("a"));
  api.put(watched_pods, watched_pod("p", R"("labels":{"app":"a"})"));
  const auto child = [](const std::string& more) {
    return R"({"metadata":{"namespace":"ns","name":"d","uid":"u-d","ownerReferences":[)"
           R"({"apiVersion":"example.com/v1","kind":"Widget","name":"a","uid":"u-a",)"
           R"("controller":true}]},"status":{"n":)" +
           more + "}}";
  };
  api.put(deployments, child("1"));
  lead();
  plan.plans = 0;
  api.put(deployments, child("2"));
  settle();
  EXPECT_EQ(plan.plans, 1) << "before and after concern the same primary";
  api.put(watched_pods, watched_pod("p", R"("labels":{"app":"a"},"annotations":{"x":"y"})"));
  settle();
  EXPECT_EQ(plan.plans, 2);
}

TEST_F(watched, predicates_say_which_updates_count) {
  watch([](watch_spec& w) {
    w.map_by_pointer = "/spec/uses";
    w.on_labels = true;
  });
  api.put(widgets, widget_json("a", R"("spec":{"uses":"p"})"));
  api.put(watched_pods, watched_pod("p"));
  lead();
  (void)planned_since();
  api.put(watched_pods, watched_pod("p", R"("annotations":{"x":"y"})"));
  EXPECT_EQ(planned_since(), strings{});
  api.put(watched_pods, watched_pod("p", R"("labels":{"x":"y"})"));
  EXPECT_EQ(planned_since(), strings{"a"});
  api.erase(watched_pods, "ns", "p");
  EXPECT_EQ(planned_since(), strings{"a"}) << "what goes always counts";
}

// A kind that two plugins own: each hears of its own children only.
TEST_F(watched, a_child_of_another_plugins_kind_wakes_nobody) {
  api.put(widgets, widget_json("a"));
  lead();
  (void)planned_since();
  const auto child = [](const char* kind, const char* status) {
    return std::string(R"({"metadata":{"namespace":"ns","name":"d-)") + kind +
           R"(","ownerReferences":[{"apiVersion":"example.com/v1","kind":")" + kind +
           R"(","name":"a","uid":"u-a","controller":true}]},"status":{"phase":")" + status + "\"}}";
  };
  for (const char* status : {"new", "ready"}) {
    api.put(deployments, child("Gadget", status));
    EXPECT_EQ(planned_since(), strings{}) << status;
    api.put(deployments, child("Widget", status));
    EXPECT_EQ(planned_since(), strings{"a"}) << status;
  }
}

TEST_F(watched, a_paused_object_is_left_alone_and_says_so) {
  const std::string pause = R"("annotations":{"oarlock.dev/paused":"true"})";
  api.put(widgets, widget_json("a", "", pause));
  api.put(widgets, widget_json("b"));
  lead();
  EXPECT_EQ(planned_since(), strings{"b"});
  EXPECT_EQ(condition("Paused", "status", "a"), "True");
  api.put(widgets, widget_json("a", R"("spec":{"x":1})", pause));
  EXPECT_EQ(planned_since(), strings{}) << "a change does not wake it";
  api.put(widgets, widget_json("a", R"("spec":{"x":1})"));
  EXPECT_EQ(planned_since(), strings{"a"});
}

TEST_F(watched, what_somebody_changes_goes_before_what_a_start_brings_up) {
  spec.max_concurrent_reconciles = 1;
  boost::asio::io_context lane;
  for (const char* name : {"a", "b", "c"})
    api.put(widgets, widget_json(name));
  auto p = parts();
  p.lane = lane.get_executor();
  subject = std::make_unique<controller>(spec, p);
  subject->start();
  loop.run_ready();
  subject->lead();
  settle();
  const auto at_start = subject->snapshot(9);
  ASSERT_EQ(at_start.processing.size(), 1U);
  ASSERT_EQ(at_start.ready.size(), 2U);
  const auto first = at_start.processing[0].key.name;
  const auto waits = at_start.ready[0].name;
  const auto changed = at_start.ready[1].name;
  api.put(widgets, widget_json(changed, "", R"("labels":{"changed":"yes"})"));
  api.put(widgets, widget_json("new"));
  settle();
  EXPECT_EQ(metric("workqueue_depth", "priority=\"-100\""), 1);
  EXPECT_EQ(metric("workqueue_depth", "priority=\"0\""), 2);
  for (int i = 0; i < 4; ++i) {
    lane.restart();
    lane.poll();
    settle();
  }
  EXPECT_EQ(planned_keys, (strings{first, changed, "new", waits}));
}

TEST_F(watched, a_plan_can_look_at_all_objects_of_its_kinds_at_one_moment) {
  watch([](watch_spec& w) { w.map_by_label = "of"; });
  for (int i = 0; i < 20; ++i)
    api.put(watched_pods, watched_pod("p" + std::to_string(i)));
  api.put(widgets, widget_json("a"));
  const cached_kinds* kinds = nullptr;
  std::vector<cache::object_ptr> moment;
  plan.run = [&](const plan_input& input) {
    kinds = input.cache;
    if (moment.empty()) moment = *kinds->list_cached("pods", "", "");
    return plan_output{};
  };
  lead();
  ASSERT_EQ(moment.size(), 20U);
  EXPECT_TRUE(std::is_sorted(moment.begin(), moment.end(), [](const auto& x, const auto& y) {
    return x->meta().key < y->meta().key;
  }));
  // Everything is replaced, and some go.
  for (int i = 0; i < 15; ++i)
    api.put(watched_pods, watched_pod("p" + std::to_string(i), R"("labels":{"new":"1"})"));
  for (int i = 15; i < 20; ++i)
    api.erase(watched_pods, "ns", "p" + std::to_string(i));
  settle();
  for (const auto& o : moment)
    EXPECT_EQ(o->meta().labels.count("new"), 0U);
  EXPECT_EQ(kinds->list_cached("pods", "ns", "")->size(), 15U);
  EXPECT_EQ(kinds->list_cached("pods", "other", "")->size(), 0U);
  EXPECT_EQ(kinds->list_cached("widgets.example.com", "", "")->size(), 1U);
  EXPECT_FALSE(kinds->list_cached("nodes", "", ""));
}

}  // namespace
}  // namespace oarlock::controller
