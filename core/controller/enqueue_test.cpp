// What happens outside of Kubernetes and brings up a key.
#include "core/controller/controller_world_test.hpp"
#include "core/controller/notes.hpp"

namespace oarlock::controller {
namespace {

using namespace testing;
using ::testing::UnorderedElementsAre;

class enqueued : public controller_world {
 protected:
  enqueued() {
    plan.run = [this](const plan_input& input) {
      keys.push_back(input.key.name);
      told.clear();
      for (const auto& note : input.notes)
        told.push_back(note->name + "=" + note->json + " by " + note->pod_uid);
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
  static input_note note(std::string json) {
    return {"progress", std::move(json), "default", "pod-0", "uid-0", {}};
  }
  strings keys;
  strings told;
};

TEST_F(enqueued, what_a_pod_says_is_an_input_of_all_later_plans) {
  EXPECT_EQ(subject->note({"ns", "a"}, note("1")), note_outcome::taken);
  EXPECT_EQ(subject->note({"ns", "a"}, note("2")), note_outcome::taken);
  EXPECT_EQ(subject->note({"ns", "a"}, note("3")), note_outcome::taken);
  EXPECT_THAT(since(), UnorderedElementsAre("a", "a"))
      << "at once, and once for all that came then";
  EXPECT_THAT(told, UnorderedElementsAre("progress=3 by uid-0"));
  subject->enqueue({"ns", "b"});
  EXPECT_THAT(since(), UnorderedElementsAre("b"));
  EXPECT_THAT(told, UnorderedElementsAre());
  subject->enqueue({"ns", "a"});
  EXPECT_THAT(since(), UnorderedElementsAre("a"));
  EXPECT_THAT(told, UnorderedElementsAre("progress=3 by uid-0"));
}

TEST_F(enqueued, what_a_pod_says_is_for_an_object_that_is_there_and_for_the_leader) {
  EXPECT_EQ(subject->note({"ns", "nobody"}, note("1")), note_outcome::no_object);
  EXPECT_EQ(subject->note({"ns", "a"}, note(std::string(notes::object_bytes_max, '1'))),
            note_outcome::no_room);
  EXPECT_EQ(subject->note({"ns", "a"}, note("1")), note_outcome::taken);
  since();
  subject->follow();
  EXPECT_EQ(subject->note({"ns", "a"}, note("2")), note_outcome::not_leading);
  subject->lead();
  EXPECT_THAT(since(), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(told, UnorderedElementsAre()) << "what another leader was told is not known";
}

TEST_F(enqueued, what_was_said_of_an_object_goes_with_it) {
  EXPECT_EQ(subject->note({"ns", "a"}, note("1")), note_outcome::taken);
  since();
  api.erase(widgets, "ns", "a");
  since();
  api.put(widgets, widget_json("a"));
  EXPECT_THAT(since(), UnorderedElementsAre("a"));
  EXPECT_THAT(told, UnorderedElementsAre());
}

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
