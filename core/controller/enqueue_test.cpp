// What happens outside of Kubernetes and brings up a key.
#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace testing;
using ::testing::UnorderedElementsAre;

class enqueued : public controller_world {
 protected:
  enqueued() {
    plan.run = [this](const plan_input& input) {
      keys.push_back(input.key.name);
      return plan_output{};
    };
    api.put(widgets, widget_json("a"));
    api.put(widgets, widget_json("b"));
    lead();
    keys.clear();
  }
  strings since() {
    settle();
    return std::exchange(keys, {});
  }
  strings keys;
};

TEST_F(enqueued, a_key_is_planned_as_if_it_had_changed) {
  subject->enqueue({"ns", "a"});
  EXPECT_THAT(since(), UnorderedElementsAre("a"));
  EXPECT_TRUE(subject->knows({"ns", "a"}));
  EXPECT_FALSE(subject->knows({"ns", "nobody"}));
}

TEST_F(enqueued, nothing_happens_any_more_after_a_drain) {
  loop.await(subject->drain());
  EXPECT_FALSE(subject->knows({"ns", "a"}));
  subject->enqueue({"ns", "a"});
  subject->enqueue_all();
  EXPECT_THAT(since(), UnorderedElementsAre());
}

TEST_F(enqueued, all_keys_are_planned_after_what_changed) {
  subject->enqueue_all();
  EXPECT_THAT(since(), UnorderedElementsAre("a", "b"));
}

TEST_F(enqueued, without_the_lease_nothing_happens_and_the_next_start_plans_all) {
  subject->follow();
  subject->enqueue({"ns", "a"});
  subject->enqueue_all();
  EXPECT_EQ(subject->snapshot(10).ready_count, 0U);
  EXPECT_THAT(since(), UnorderedElementsAre());
  subject->lead();
  EXPECT_THAT(since(), UnorderedElementsAre("a", "b"));
}

}  // namespace
}  // namespace oarlock::controller
