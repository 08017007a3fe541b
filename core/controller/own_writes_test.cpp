// A key that waits until the cache has seen its own writes.
#include "core/controller/own_writes.hpp"

#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;

class own_writes_wait : public controller_world {
 protected:
  own_writes_wait() {
    plan.run = [this](const plan_input&) {
      api.hold = holds;
      plan_output out;
      out.apply_set = {deployment("child", replicas)};
      return out;
    };
    api.intercept = [this](const test::scripted_call_ptr& call) {
      if (call->query("watch") == "true") watches[call->path()] = call;
      return false;
    };
    api.put(widgets, widget_json());
    lead();
    // Now writes whose events do not come.
    holds = true;
    replicas = 2;
    subject->enqueue(key);
    settle(0s);
    plans = plan.plans;
    skipped = skips();
    subject->enqueue(key);
    settle(0s);
    EXPECT_EQ(plan.plans, plans) << "the cache has not seen what the last plan wrote";
    EXPECT_EQ(skips(), skipped + 1);
  }
  // The cache hears that it has seen everything; no object changes.
  void bookmark(const kube::resource& r) {
    for (const auto& [path, watch] : watches) {
      if (!path.ends_with("/" + r.plural)) continue;
      watch->push(R"({"type":"BOOKMARK","object":{"kind":")" + r.kind +
                  R"(","metadata":{"resourceVersion":"1000"}}})" + "\n");
    }
    loop.run_ready();
  }
  double skips() { return metric("oarlock_stale_cache_skips_total"); }

  const cache::object_key key{"ns", "w"};
  bool holds = false;
  int replicas = 1;
  int plans = 0;
  double skipped = 0;
  std::map<std::string, test::scripted_call_ptr> watches;
};

TEST_F(own_writes_wait, for_no_longer_than_the_cache) {
  settle(4s);
  EXPECT_EQ(skips(), skipped + 1) << "nobody asks again and again";
  bookmark(widgets);
  EXPECT_EQ(plan.plans, plans) << "of another kind";
  bookmark(deployments);
  EXPECT_EQ(plan.plans, plans + 1) << "at once, by the position alone";
}

TEST_F(own_writes_wait, is_one_plan_when_the_event_itself_comes) {
  holds = false;
  api.release();
  settle(10s);
  EXPECT_EQ(plan.plans, plans + 1);
}

}  // namespace
}  // namespace oarlock::controller
