// Versions that go back: a server that lags, and a history that was rewound.
#include <gmock/gmock.h>

#include "core/cache/scripted_cluster_test.hpp"

namespace oarlock::cache {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class reflector_rewind : public scripted_cluster {
 protected:
  // A server that is behind: its streaming list and its list by pages are at 60, we are at 100.
  std::unique_ptr<subscription> behind() {
    auto s = start_with({{"a", "90"}, {"new", "95"}}, "100");
    push(error_event(410, "Expired"));
    loop.advance(800ms);
    call().answer(200);
    push(added({"a", "40"}) + end_of_list("60"));
    EXPECT_EQ(call().query("limit"), "500");
    EXPECT_EQ(call().query("resourceVersion"), "100");
    call().reply(200, list({{"a", "40"}}, "60"));
    loop.run_ready();
    EXPECT_THAT(s->view().trouble(), HasSubstr("stale_list: "));
    EXPECT_THAT(heard, IsEmpty()) << "nothing is shown of a list from a cache";
    EXPECT_EQ(s->view().seen_version(), "100");
    EXPECT_EQ(s->view().epoch(), 0U);
    loop.advance(1600ms);
    EXPECT_EQ(call().query("watch"), "") << "by pages: not from a watch cache";
    EXPECT_EQ(call().query("resourceVersion"), "");
    EXPECT_EQ(call().query("resourceVersionMatch"), "");
    return s;
  }
  bool rewinds(const std::string& n) {
    return counted(R"(oarlock_cache_rewinds_total{resource="widgets.example.com"} )" + n);
  }
};

TEST_F(reflector_rewind, starts_a_new_epoch_when_a_quorum_list_is_older) {
  const auto s = behind();
  std::uint64_t epoch_in_handler = 0;
  const auto other = cache.acquire({widgets, "", ""}, {}, [&](const change& c) {
    if (!c.before || !c.after) return;
    epoch_in_handler = s->view().epoch();
  });
  loop.run_ready();
  call().reply(200, list({{"a", "40"}, {"old", "41"}}, "60"));
  loop.run_ready();
  EXPECT_EQ(s->view().epoch(), 1U);
  EXPECT_EQ(epoch_in_handler, 1U) << "known before the changes are";
  EXPECT_THAT(take_heard(), UnorderedElementsAre("ns/a@90>40!", "-ns/new@95!", "+ns/old@41!"));
  EXPECT_EQ(s->view().seen_version(), "60");
  EXPECT_TRUE(rewinds("1"));
  EXPECT_EQ(call().query("watch"), "true");
  EXPECT_EQ(call().query("resourceVersion"), "60") << "the position is the new history's";
  call().answer(200);
  push(modified({"a", "61"}) + bookmark("70"));
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@40>61"));
  EXPECT_EQ(s->view().seen_version(), "70");
}

TEST_F(reflector_rewind, tells_a_lagging_server_from_a_rewound_history) {
  const auto s = behind();
  call().reply(200, list({{"a", "90"}, {"new", "95"}}, "120"));
  loop.run_ready();
  EXPECT_EQ(s->view().epoch(), 0U);
  EXPECT_THAT(heard, IsEmpty());
  EXPECT_EQ(s->view().seen_version(), "120");
  EXPECT_TRUE(rewinds("0"));
}

TEST_F(reflector_rewind, is_told_by_an_older_object_when_the_new_history_has_grown) {
  const auto s = behind();
  call().reply(200, list({{"a", "40"}, {"new", "95"}}, "130"));
  loop.run_ready();
  EXPECT_EQ(s->view().epoch(), 1U);
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@90>40!"));
}

// The new history has grown beyond our position before we ask: no version is behind, and a list no
// older than the position is served. Its objects give it away.
TEST_F(reflector_rewind, is_suspected_when_a_list_has_an_object_older_than_it_was) {
  const auto s = start_with({{"a", "90"}, {"new", "95"}}, "100");
  push(error_event(410, "Expired"));
  loop.advance(800ms);
  call().answer(200);
  push(added({"a", "40"}) + end_of_list("130"));
  EXPECT_EQ(call().query("limit"), "500");
  call().reply(200, list({{"a", "40"}}, "130"));
  loop.run_ready();
  EXPECT_THAT(s->view().trouble(), HasSubstr("found 1 in a list at 130"));
  EXPECT_THAT(heard, IsEmpty()) << "nothing is shown of it";
  loop.advance(1600ms);
  EXPECT_EQ(call().query("watch"), "");
  EXPECT_EQ(call().query("resourceVersion"), "");
  call().reply(200, list({{"a", "40"}}, "131"));
  loop.run_ready();
  EXPECT_EQ(s->view().epoch(), 1U);
  EXPECT_TRUE(rewinds("1"));
  EXPECT_THAT(take_heard(), UnorderedElementsAre("ns/a@90>40!", "-ns/new@95!"));
}

// The watch of another kind goes on: the new history has grown beyond its position, so it is silent
// in no way. It is told, reads a quorum list, and tells nobody in turn.
TEST_F(reflector_rewind, is_passed_on_to_the_other_kinds) {
  const kube::resource gadgets{"example.com", "v1", "Gadget", "gadgets", true};
  strings heard_of_gadgets;
  const auto other = cache.acquire(
      {gadgets, "", ""}, {}, [&](const change& c) { heard_of_gadgets.push_back(text_of(c)); });
  loop.run_ready();
  call().answer(200);
  push(added({"g", "91"}) + added({"later", "96"}) + end_of_list("100"));
  heard_of_gadgets.clear();
  const auto s = behind();
  call().reply(200, list({{"a", "40"}}, "60"));
  loop.run_ready();
  ASSERT_EQ(s->view().epoch(), 1U);
  EXPECT_EQ(other->view().epoch(), 0U) << "not before its own list";
  EXPECT_EQ(call().path(), "/apis/example.com/v1/gadgets");
  EXPECT_EQ(call().query("watch"), "") << "its watch was given up for a list";
  EXPECT_EQ(call().query("resourceVersion"), "");
  const auto before = requests();
  call().reply(200, list({{"g", "91"}}, "130"));
  loop.run_ready();
  EXPECT_EQ(other->view().epoch(), 1U);
  EXPECT_THAT(heard_of_gadgets, ElementsAre("-ns/later@96!"));
  EXPECT_EQ(s->view().epoch(), 1U);
  EXPECT_EQ(requests(), before + 1) << "its new watch, and nothing of the first kind";
}

TEST_F(reflector_rewind, shows_a_reused_name_as_delete_and_add) {
  const auto s = behind();
  call().reply(200, list({{"a", "40", "u-earlier"}}, "60"));
  loop.run_ready();
  EXPECT_THAT(take_heard(), UnorderedElementsAre("-ns/a@90!", "+ns/a@40!", "-ns/new@95!"));
}

TEST_F(reflector_rewind, is_asked_about_when_a_resumed_watch_is_silent_from_its_start) {
  const auto s = start_with({{"a", "90"}}, "99");
  push(bookmark("100"));
  call().break_off();
  loop.advance(1s);
  ASSERT_EQ(call().query("resourceVersion"), "100");
  EXPECT_EQ(call().query("sendInitialEvents"), "");
  call().answer(200);
  loop.advance(125s);
  EXPECT_EQ(call().query("sendInitialEvents"), "true") << "a list shows where the server is";
  EXPECT_EQ(call().query("resourceVersion"), "100");
}

TEST_F(reflector_rewind, keeps_the_store_while_the_quorum_list_fails) {
  const auto s = behind();
  call().reply(403, status(403, "Forbidden"));
  loop.run_ready();
  EXPECT_EQ(s->view().object_count(), 2U);
  EXPECT_EQ(s->view().epoch(), 0U);
  loop.advance(30s);
  EXPECT_EQ(call().query("watch"), "");
  EXPECT_EQ(call().query("resourceVersion"), "") << "still the same question";
}

}  // namespace
}  // namespace oarlock::cache
