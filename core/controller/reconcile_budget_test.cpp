#include "core/controller/reconcile_budget.hpp"

#include <boost/asio/io_context.hpp>

#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace testing;

TEST(reconcile_budget, who_waits_longest_goes_first) {
  int held_back = 0;
  reconcile_budget budget(2, [&] { ++held_back; });
  std::string order;
  EXPECT_TRUE(budget.take({}));
  EXPECT_TRUE(budget.take({}));
  EXPECT_FALSE(budget.take([&] {
    order += "a";
    EXPECT_TRUE(budget.take({}));
  }));
  EXPECT_FALSE(budget.take([&] { order += "b"; }));  // has nothing to do any more
  EXPECT_FALSE(budget.take([&] {
    order += "c";
    EXPECT_TRUE(budget.take({}));
  }));
  EXPECT_EQ(held_back, 3);
  budget.give_back();
  EXPECT_EQ(order, "a");
  budget.give_back();
  EXPECT_EQ(order, "abc") << "a turn that is not taken is the next one's";
}

TEST(reconcile_budget, zero_is_no_limit) {
  reconcile_budget budget(0);
  for (int i = 0; i < 1000; ++i)
    EXPECT_TRUE(budget.take({}));
}

// Two controllers of one plugin on a lane that runs nothing until the test lets it.
class shared_budget : public controller_world {
 protected:
  void lead_both(std::size_t limit) {
    auto p = parts();
    p.lane = lane.get_executor();
    p.budget = std::make_shared<reconcile_budget>(limit);
    subject = std::make_unique<controller>(spec, p);
    p.plan = &other_plan;
    const controller_spec secret_spec{"widget", "other", secrets, {}, {}, 16, {}};
    other = std::make_unique<controller>(secret_spec, p);
    for (auto* one : {subject.get(), other.get()}) {
      one->start();
      loop.run_ready();
      one->lead();
    }
    settle();
  }
  ~shared_budget() override {
    loop.await(other->drain());
    other.reset();
  }
  // Lets the plans that wait on the lane be made; says how many there were.
  std::size_t let_go() {
    const int before = plan.plans + other_plan.plans;
    lane.restart();
    lane.poll();
    const int made = plan.plans + other_plan.plans - before;
    settle();
    return static_cast<std::size_t>(made);
  }
  boost::asio::io_context lane;
  planned other_plan;
  std::unique_ptr<controller> other;
};

TEST_F(shared_budget, is_what_all_controllers_of_a_plugin_work_with) {
  for (const char* name : {"a", "b", "c", "d", "e"})
    api.put(widgets, widget_json(name));
  api.put(secrets, widget_json("s"));
  lead_both(2);
  EXPECT_EQ(metric("controller_runtime_active_workers", "controller=\"widget\""), 2);
  EXPECT_EQ(metric("controller_runtime_active_workers", "controller=\"other\""), 0);
  EXPECT_LE(let_go(), 2U);
  EXPECT_EQ(metric("controller_runtime_active_workers", "controller=\"other\""), 1)
      << "the first place that comes free is for who waits, not for who had it";
  for (int i = 0; i < 10; ++i)
    EXPECT_LE(let_go(), 2U);
  EXPECT_EQ(metric("workqueue_depth", "priority=\"-100\""), 0);
  EXPECT_GE(plan.plans, 5);
  EXPECT_GE(other_plan.plans, 1);
  EXPECT_EQ(metric("controller_runtime_active_workers", "controller=\"widget\""), 0);
}

}  // namespace
}  // namespace oarlock::controller
