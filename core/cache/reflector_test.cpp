// The reflector as a whole: through the cache and the real client, over a scripted transport.
#include <gmock/gmock.h>

#include "core/cache/scripted_cluster_test.hpp"

namespace oarlock::cache {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

using reflector_test = scripted_cluster;

TEST_F(reflector_test, starts_with_a_streaming_list_and_goes_on_watching) {
  const auto s = start();
  ASSERT_EQ(requests(), 1U);
  EXPECT_EQ(call().path(), "/apis/example.com/v1/widgets");
  EXPECT_EQ(call().query("watch"), "true");
  EXPECT_EQ(call().query("sendInitialEvents"), "true");
  EXPECT_EQ(call().query("resourceVersionMatch"), "NotOlderThan");
  EXPECT_EQ(call().query("allowWatchBookmarks"), "true");
  EXPECT_EQ(call().query("resourceVersion"), "");
  EXPECT_EQ(call().query("timeoutSeconds"), "300");
  EXPECT_TRUE(call().options().dedicated);
  call().answer(200);
  push(added({"b", "7"}) + added({"a", "3"}));
  EXPECT_FALSE(s->view().synced());
  EXPECT_EQ(s->view().object_count(), 0U) << "staged objects are not visible";
  EXPECT_EQ(s->view().seen_version(), "") << "initial events are no position";
  EXPECT_THAT(heard, IsEmpty());
  push(end_of_list("9"));
  EXPECT_TRUE(s->view().synced());
  EXPECT_EQ(s->view().seen_version(), "9");
  EXPECT_EQ(s->view().trouble(), "");
  EXPECT_THAT(take_heard(), UnorderedElementsAre("+ns/a@3!", "+ns/b@7!"));
  push(modified({"a", "10"}));
  push(deleted({"b", "11"}));
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@3>10", "-ns/b@7"));
  EXPECT_EQ(s->view().seen_version(), "11");
  EXPECT_EQ(requests(), 1U);
  EXPECT_TRUE(counted(R"(oarlock_cache_objects{resource="widgets.example.com"} 1)"));
  EXPECT_TRUE(counted(R"(oarlock_reflector_lists_total{resource="widgets.example.com"} 1)"));
  EXPECT_TRUE(counted(R"(informer_store_resource_version{group="example.com",)"
                      R"(resource="widgets",version="v1"} 11)"));
  EXPECT_TRUE(counted(
      R"(oarlock_reflector_watch_events_total{resource="widgets.example.com",type="ADDED"} 2)"));
}

TEST_F(reflector_test, takes_changes_during_the_streaming_list_into_account) {
  const auto s = start();
  call().answer(200);
  push(added({"a", "3"}) + added({"b", "4"}) + modified({"a", "8"}) + deleted({"b", "9"}));
  push(bookmark("9"));
  EXPECT_FALSE(s->view().synced()) << "not every bookmark ends the list";
  EXPECT_EQ(s->view().seen_version(), "");
  push(end_of_list("9"));
  EXPECT_THAT(heard, ElementsAre("+ns/a@8!"));
}

TEST_F(reflector_test, falls_back_to_pages_and_remembers_when_streaming_is_refused) {
  const auto s = start();
  call().reply(422, status(422, "Invalid"));
  loop.run_ready();
  ASSERT_EQ(requests(), 2U);
  EXPECT_THAT(s->view().trouble(), HasSubstr("invalid: ")) << "until the list is there";
  EXPECT_EQ(call().query("watch"), "");
  EXPECT_EQ(call().query("limit"), "500");
  EXPECT_EQ(call().query("resourceVersion"), "0");
  EXPECT_EQ(call().query("resourceVersionMatch"), "NotOlderThan");
  call().reply(200, list({{"a", "1"}, {"b", "2"}}, "20", "next+page"));
  loop.run_ready();
  ASSERT_EQ(requests(), 3U);
  EXPECT_EQ(call().query("continue"), "next+page");
  EXPECT_EQ(call().query("resourceVersion"), "");
  EXPECT_EQ(call().query("resourceVersionMatch"), "");
  EXPECT_EQ(s->view().object_count(), 0U);
  call().reply(200, list({{"c", "3"}}, "25"));
  loop.run_ready();
  EXPECT_THAT(take_heard(), UnorderedElementsAre("+ns/a@1!", "+ns/b@2!", "+ns/c@3!"));
  EXPECT_EQ(s->view().seen_version(), "20") << "the first page's version";
  EXPECT_EQ(s->view().trouble(), "");
  ASSERT_EQ(requests(), 4U);
  EXPECT_EQ(call().query("watch"), "true");
  EXPECT_EQ(call().query("sendInitialEvents"), "");
  EXPECT_EQ(call().query("resourceVersion"), "20");
  call().answer(200);
  push(error_event(410, "Expired"));
  loop.advance(800ms);
  EXPECT_EQ(call().query("watch"), "") << "streaming was refused: by pages again";
  EXPECT_EQ(call().query("resourceVersion"), "20");
}

TEST_F(reflector_test, gives_a_streaming_list_thirty_seconds) {
  const auto s = start();
  call().answer(200);
  push(added({"a", "1"}));
  loop.advance(29s);
  EXPECT_EQ(requests(), 1U);
  loop.advance(1s);
  ASSERT_EQ(requests(), 2U);
  EXPECT_FALSE(transport.calls()[0]->open());
  EXPECT_EQ(call().query("limit"), "500");
  EXPECT_TRUE(counted(R"(oarlock_reflector_errors_total{reason="list_deadline",)"
                      R"(resource="widgets.example.com"} 1)"));
  call().reply(200, list({{"a", "1"}}, "5"));
  loop.run_ready();
  EXPECT_THAT(heard, ElementsAre("+ns/a@1!"));
}

TEST_F(reflector_test, discards_a_streaming_list_that_breaks_off) {
  const auto s = start();
  call().answer(200);
  push(added({"ghost", "1"}));
  call().break_off();
  loop.run_ready();
  ASSERT_EQ(requests(), 2U);
  EXPECT_EQ(call().query("resourceVersion"), "0") << "initial events are no position";
  call().reply(200, list({{"a", "2"}}, "5"));
  loop.run_ready();
  EXPECT_THAT(heard, ElementsAre("+ns/a@2!"));
}

TEST_F(reflector_test, restarts_a_list_whose_token_expired_once) {
  const auto s = start();
  call().reply(422, status(422, "Invalid"));
  loop.run_ready();
  call().reply(200, list({{"ghost", "1"}}, "20", "t1"));
  loop.run_ready();
  call().reply(410, status(410, "Expired"));
  loop.run_ready();
  ASSERT_EQ(requests(), 4U);
  EXPECT_EQ(call().query("continue"), "");
  call().reply(200, list({{"a", "1"}}, "30", "t2"));
  loop.run_ready();
  call().reply(410, status(410, "Expired"));
  loop.run_ready();
  ASSERT_EQ(requests(), 5U) << "a second time it waits";
  EXPECT_THAT(s->view().trouble(), HasSubstr("gone: "));
  loop.advance(800ms);
  ASSERT_EQ(requests(), 6U);
  EXPECT_EQ(call().query("resourceVersion"), "") << "and asks for the most recent";
  call().reply(200, list({{"a", "1"}}, "31"));
  loop.run_ready();
  EXPECT_THAT(heard, ElementsAre("+ns/a@1!"));
}

TEST_F(reflector_test, refuses_a_body_that_only_looks_like_an_empty_list) {
  const auto s = start_with({{"a", "1"}}, "10");
  push(error_event(410, "Expired"));
  loop.advance(800ms);
  call().reply(422, status(422, "Invalid"));
  loop.run_ready();
  call().reply(200, "{}");
  loop.run_ready();
  EXPECT_THAT(heard, IsEmpty());
  EXPECT_EQ(s->view().object_count(), 1U);
  EXPECT_THAT(s->view().trouble(), HasSubstr("bad_list: "));
}

TEST_F(reflector_test, moves_its_position_by_bookmarks) {
  const auto s = start_with({{"a", "1"}}, "10");
  push(bookmark("50"));
  EXPECT_EQ(s->view().seen_version(), "50");
  EXPECT_THAT(heard, IsEmpty());
  loop.advance(60s);
  push(bookmark("60"));
  loop.advance(60s);
  call().finish();
  loop.run_ready();
  ASSERT_EQ(requests(), 2U);
  EXPECT_EQ(call().query("resourceVersion"), "60");
}

TEST_F(reflector_test, relists_after_410_in_the_stream) {
  const auto s = start_with({{"a", "1"}, {"gone", "2"}}, "10");
  push(modified({"a", "15"}));
  heard.clear();
  push(error_event(410, "Expired"));
  EXPECT_EQ(requests(), 1U);
  EXPECT_THAT(s->view().trouble(), HasSubstr("gone: "));
  loop.advance(799ms);
  EXPECT_EQ(requests(), 1U) << "no relist faster than the backoff";
  loop.advance(1ms);
  ASSERT_EQ(requests(), 2U);
  EXPECT_EQ(call().query("sendInitialEvents"), "true");
  EXPECT_EQ(call().query("resourceVersion"), "15") << "no older than what was seen";
  call().answer(200);
  push(added({"a", "15"}) + added({"new", "30"}) + end_of_list("40"));
  EXPECT_THAT(take_heard(), UnorderedElementsAre("-ns/gone@2!", "+ns/new@30!"));
  EXPECT_EQ(s->view().trouble(), "");
  EXPECT_EQ(s->view().seen_version(), "40");
}

TEST_F(reflector_test, relists_after_410_as_the_answer) {
  const auto s = start_with({{"a", "1"}}, "10");
  loop.advance(2s);
  call().finish();
  loop.run_ready();
  EXPECT_EQ(call().query("resourceVersion"), "10");
  call().reply(410, status(410, "Expired"));
  loop.advance(800ms);
  ASSERT_EQ(requests(), 3U);
  EXPECT_EQ(call().query("sendInitialEvents"), "true");
  EXPECT_EQ(call().query("resourceVersion"), "10");
  call().reply(410, status(410, "Expired"));
  loop.advance(1600ms);
  EXPECT_EQ(call().query("resourceVersion"), "") << "the server cannot serve that one";
}

TEST_F(reflector_test, relists_soon_after_an_outage_that_ends_with_410) {
  const auto s = start_with({{"a", "1"}}, "10");
  loop.advance(5s);
  call().break_off();
  loop.run_ready();
  for (int i = 0; i < 6; ++i) {
    call().refuse(net::net_error::not_sent);
    loop.advance(30s);
  }
  const auto before = requests();
  call().reply(410, status(410, "Expired"));
  loop.advance(800ms);
  ASSERT_EQ(requests(), before + 1) << "the backoff of the outage does not count";
  EXPECT_EQ(call().query("sendInitialEvents"), "true");
}

TEST_F(reflector_test, delivers_a_new_uid_as_delete_and_add) {
  const auto s = start_with({{"a", "1", "old"}}, "10");
  push(modified({"a", "11", "new"}));
  EXPECT_THAT(take_heard(), ElementsAre("-ns/a@1", "+ns/a@11"));
  push(error_event(410, "Expired"));
  loop.advance(800ms);
  call().answer(200);
  push(added({"a", "20", "newest"}) + end_of_list("21"));
  EXPECT_THAT(take_heard(), ElementsAre("-ns/a@11!", "+ns/a@20!"));
}

TEST_F(reflector_test, resumes_after_a_break_inside_a_line_and_a_character) {
  const auto s = start_with({}, "10");
  loop.advance(5s);
  const std::string whole = added({"a", "11", "\xc3\xa9"});
  for (const char c : whole)
    push(std::string(1, c));
  EXPECT_THAT(take_heard(), ElementsAre("+ns/a@11"));
  const std::string next = modified({"a", "12", "\xc3\xa9"});
  push(next.substr(0, next.find('\xc3') + 1));
  call().break_off();
  loop.run_ready();
  ASSERT_EQ(requests(), 2U) << "at once: the watch was sound";
  EXPECT_EQ(call().query("resourceVersion"), "11");
  EXPECT_EQ(call().query("sendInitialEvents"), "");
  EXPECT_THAT(heard, IsEmpty());
  call().answer(200);
  push(modified({"a", "12", "\xc3\xa9"}));
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@11>12"));
}

TEST_F(reflector_test, takes_a_clean_end_inside_a_line_for_a_break) {
  const auto s = start_with({}, "10");
  loop.advance(5s);
  push("{\"type\":\"ADDED\",\"obj");
  call().finish();
  loop.run_ready();
  EXPECT_EQ(requests(), 2U);
  EXPECT_TRUE(counted(R"(oarlock_reflector_errors_total{reason="broken_stream",)"
                      R"(resource="widgets.example.com"} 1)"));
}

TEST_F(reflector_test, treats_a_watch_that_ends_at_once_as_a_failure) {
  const auto s = start_with({}, "10");
  loop.advance(5s);
  call().finish();
  loop.run_ready();
  for (const auto wait : {800ms, 1600ms, 3200ms}) {
    call().answer(200);
    call().finish();
    loop.run_ready();
    const auto before = requests();
    loop.advance(wait - 1ms);
    EXPECT_EQ(requests(), before);
    loop.advance(1ms);
    EXPECT_EQ(requests(), before + 1);
    EXPECT_EQ(call().query("resourceVersion"), "10") << "without a relist";
  }
}

TEST_F(reflector_test, does_not_spin_on_watches_that_break_after_an_event) {
  const auto s = start_with({}, "10");
  loop.advance(5s);
  call().finish();
  loop.run_ready();
  for (int n = 0; n < 20; ++n) {
    if (call().answered()) break;
    call().answer(200);
    call().push(bookmark("10"));
    call().break_off();
    loop.run_ready();
  }
  EXPECT_LE(requests(), 4U);
}

TEST_F(reflector_test, notices_silence_only_where_bookmarks_are_known) {
  const auto s = start_with({}, "10");
  loop.advance(299s);
  EXPECT_EQ(requests(), 1U) << "no bookmark was seen: a quiet kind";
  push(bookmark("11"));
  loop.advance(6s);
  ASSERT_EQ(requests(), 2U) << "the server's own end is overdue";
  call().answer(200);
  loop.advance(119s);
  EXPECT_EQ(requests(), 2U);
  loop.advance(1s);
  loop.advance(800ms);
  ASSERT_EQ(requests(), 3U) << "nothing since its start: a list says where the server is";
  EXPECT_EQ(call().query("sendInitialEvents"), "true");
  EXPECT_EQ(call().query("resourceVersion"), "11");
  EXPECT_FALSE(transport.calls()[1]->open());
}

TEST_F(reflector_test, parks_on_403_and_wakes_up_by_itself) {
  const auto s = start();
  call().reply(403, status(403, "Forbidden"));
  loop.run_ready();
  EXPECT_THAT(s->view().trouble(), HasSubstr("forbidden: "));
  EXPECT_THAT(s->view().trouble(), HasSubstr("said by the test"));
  loop.advance(29s);
  EXPECT_EQ(requests(), 1U);
  loop.advance(1s);
  ASSERT_EQ(requests(), 2U);
  call().answer(200);
  push(added({"a", "1"}) + end_of_list("2"));
  EXPECT_EQ(s->view().trouble(), "");
  EXPECT_THAT(heard, ElementsAre("+ns/a@1!"));
}

TEST_F(reflector_test, looks_again_soon_when_what_was_served_is_refused) {
  const auto s = start_with({{"a", "1"}}, "10");
  loop.advance(5s);
  call().finish();
  loop.run_ready();
  call().reply(403, status(403, "Forbidden"));
  loop.run_ready();
  EXPECT_EQ(requests(), 2U);
  loop.advance(3s);
  ASSERT_EQ(requests(), 3U) << "a server that has just started has no roles yet";
  EXPECT_EQ(call().query("resourceVersion"), "10");
  call().reply(403, status(403, "Forbidden"));
  loop.advance(29s);
  EXPECT_EQ(requests(), 3U) << "meant so";
  loop.advance(16s);
  EXPECT_EQ(requests(), 4U);
}

TEST_F(reflector_test, parks_on_a_plain_404_and_lists_again_after_it) {
  const auto s = start_with({{"a", "1"}}, "10");
  loop.advance(5s);
  call().finish();
  loop.run_ready();
  call().reply(404, "404 page not found\n");
  loop.run_ready();
  EXPECT_THAT(s->view().trouble(), HasSubstr("not_found: "));
  EXPECT_TRUE(s->view().synced());
  loop.advance(30s);
  ASSERT_EQ(requests(), 3U);
  EXPECT_EQ(call().query("sendInitialEvents"), "true");
}

TEST_F(reflector_test, obeys_retry_after_without_a_relist) {
  const auto s = start_with({}, "10");
  loop.advance(5s);
  call().finish();
  loop.run_ready();
  call().reply(429, status(429, "TooManyRequests"), {{"Retry-After", "7"}});
  loop.advance(6999ms);
  EXPECT_EQ(requests(), 2U);
  EXPECT_THAT(s->view().trouble(), HasSubstr("throttled: "));
  loop.advance(1ms);
  ASSERT_EQ(requests(), 3U);
  EXPECT_EQ(call().query("sendInitialEvents"), "");
  EXPECT_EQ(call().query("resourceVersion"), "10");
}

TEST_F(reflector_test, retries_a_throttled_streaming_list_as_such) {
  const auto s = start();
  call().reply(429, status(429, "TooManyRequests"), {{"Retry-After", "1"}});
  loop.advance(1s);
  ASSERT_EQ(requests(), 2U);
  EXPECT_EQ(call().query("sendInitialEvents"), "true");
}

TEST_F(reflector_test, backs_off_while_the_server_is_down_and_recovers) {
  const auto s = start_with({{"a", "1"}}, "10");
  loop.advance(5s);
  bool down = true;
  transport.on_request = [&down](const test::scripted_call_ptr& c) {
    if (down) c->refuse(net::net_error::not_sent);
  };
  call().break_off();
  loop.advance(10min);
  EXPECT_GE(requests(), 15U);
  EXPECT_LE(requests(), 30U) << "backing off to 30 s";
  EXPECT_EQ(call().query("resourceVersion"), "10");
  EXPECT_EQ(call().query("sendInitialEvents"), "") << "no relist";
  EXPECT_EQ(s->view().object_count(), 1U);
  down = false;
  loop.advance(30s);
  ASSERT_FALSE(call().answered());
  call().answer(200);
  loop.advance(2min);
  EXPECT_EQ(s->view().trouble(), "");
  const auto before = requests();
  call().finish();
  loop.run_ready();
  call().reply(503, status(503, "ServiceUnavailable"));
  loop.advance(800ms);
  EXPECT_EQ(requests(), before + 2) << "after two quiet minutes the backoff starts anew";
}

TEST_F(reflector_test, retries_a_too_large_version_and_then_lists_the_most_recent) {
  const auto s = start_with({{"a", "90"}}, "100");
  loop.advance(5s);
  call().finish();
  loop.run_ready();
  const std::string too_large =
      R"({"kind":"Status","status":"Failure","reason":"Timeout","code":504,"message":"too large",
          "details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"x"}],
          "retryAfterSeconds":1}})";
  call().reply(504, too_large);
  loop.advance(1s);
  ASSERT_EQ(requests(), 3U);
  EXPECT_EQ(call().query("resourceVersion"), "100");
  EXPECT_EQ(call().query("sendInitialEvents"), "");
  call().reply(504, too_large);
  loop.advance(1600ms);
  ASSERT_EQ(requests(), 4U);
  EXPECT_EQ(call().query("watch"), "") << "a quorum list, not one from a cache";
  EXPECT_EQ(call().query("resourceVersion"), "");
  EXPECT_EQ(s->view().epoch(), 0U);
  call().reply(200, list({{"a", "40"}}, "50"));
  loop.run_ready();
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@90>40!")) << "a restored backup is the truth";
  EXPECT_EQ(s->view().seen_version(), "50");
  EXPECT_EQ(s->view().epoch(), 1U);
  EXPECT_TRUE(counted(R"(oarlock_cache_rewinds_total{resource="widgets.example.com"} 1)"));
}

TEST_F(reflector_test, refuses_older_versions_and_duplicates) {
  const auto s = start_with({{"a", "5"}}, "10");
  push(modified({"a", "20"}) + modified({"a", "20"}) + modified({"a", "15"}) +
       deleted({"a", "12"}));
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@5>20"));
  EXPECT_EQ(s->view().seen_version(), "20") << "never backwards";
  EXPECT_TRUE(counted(R"(oarlock_reflector_errors_total{reason="out_of_order",)"
                      R"(resource="widgets.example.com"} 2)"));
  EXPECT_TRUE(counted(R"(oarlock_reflector_errors_total{reason="older_version",)"
                      R"(resource="widgets.example.com"} 2)"));
  EXPECT_EQ(requests(), 1U);
}

TEST_F(reflector_test, takes_reordered_news_of_an_object_it_knows) {
  const auto s = start_with({{"a", "5"}, {"b", "6"}}, "10");
  push(modified({"a", "12"}) + modified({"b", "11"}));
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@5>12", "ns/b@6>11"));
  EXPECT_EQ(s->view().seen_version(), "12");
}

TEST_F(reflector_test, does_not_bring_back_the_dead_by_a_replayed_event) {
  const auto s = start_with({{"a", "5"}}, "10");
  push(deleted({"a", "20"}));
  EXPECT_THAT(take_heard(), ElementsAre("-ns/a@5"));
  push(modified({"a", "7"}));
  EXPECT_THAT(heard, IsEmpty());
  EXPECT_THAT(s->view().trouble(), HasSubstr("replayed_event: "));
  loop.advance(800ms);
  EXPECT_EQ(call().query("sendInitialEvents"), "true") << "what is true, a list says";
  EXPECT_EQ(call().query("resourceVersion"), "20");
}

TEST_F(reflector_test, refuses_a_list_from_a_server_that_is_behind) {
  const auto s = start_with({{"a", "5"}}, "100");
  push(error_event(410, "Expired"));
  loop.advance(800ms);
  call().answer(200);
  push(end_of_list("60"));
  EXPECT_EQ(s->view().object_count(), 1U);
  EXPECT_EQ(call().query("limit"), "500");
  call().reply(200, list({}, "60"));
  loop.run_ready();
  EXPECT_EQ(s->view().object_count(), 1U);
  EXPECT_THAT(s->view().trouble(), HasSubstr("stale_list: "));
  loop.advance(1600ms);
  EXPECT_EQ(call().query("resourceVersion"), "") << "only the most recent one is believed";
}

TEST_F(reflector_test, skips_bad_objects_and_unknown_events) {
  const auto s = start();
  call().answer(200);
  push(R"({"type":"ADDED","object":{"metadata":{"name":7}}})"
       "\n" +
       added({"a", "1"}) + end_of_list("5"));
  push(R"({"type":"MODIFIED","object":[]})"
       "\n"
       R"({"type":"FUTURE","object":{}})"
       "\n" +
       modified({"a", "6"}));
  EXPECT_THAT(heard, ElementsAre("+ns/a@1!", "ns/a@1>6"));
  EXPECT_EQ(requests(), 1U);
  EXPECT_TRUE(counted(R"(oarlock_reflector_errors_total{reason="bad_object",)"
                      R"(resource="widgets.example.com"} 2)"));
  EXPECT_TRUE(counted(
      R"(oarlock_reflector_watch_events_total{resource="widgets.example.com",type="UNKNOWN"} 1)"));
}

TEST_F(reflector_test, keeps_the_old_copy_of_an_object_whose_new_state_is_bad) {
  const auto s = start_with({{"a", "1"}}, "5");
  push(R"({"type":"MODIFIED","object":{"metadata":{"namespace":"ns","name":"a","uid":7,)"
       R"("resourceVersion":"6"}}})"
       "\n");
  EXPECT_TRUE(s->view().get({"ns", "a"})) << "a controller would create what it cannot see";
  EXPECT_EQ(s->view().seen_version(), "5");
  EXPECT_TRUE(counted(R"(oarlock_reflector_errors_total{reason="bad_object",)"
                      R"(resource="widgets.example.com"} 1)"));
  push(modified({"a", "7"}));
  EXPECT_THAT(heard, ElementsAre("ns/a@1>7"));
}

TEST_F(reflector_test, lists_after_the_same_error_event_again_and_again) {
  const auto s = start_with({{"a", "1"}}, "5");
  for (int n = 0; n < 3; ++n) {
    push(error_event(500, "InternalError"));
    loop.advance(10s);
    EXPECT_EQ(call().query("sendInitialEvents"), "") << "resumes, attempt " << n;
    EXPECT_EQ(call().query("resourceVersion"), "5");
    call().answer(200);
  }
  push(error_event(500, "InternalError"));
  EXPECT_THAT(s->view().trouble(), HasSubstr("error_event: "));
  loop.advance(30s);
  EXPECT_EQ(call().query("sendInitialEvents"), "true");
  EXPECT_EQ(call().query("resourceVersion"), "5") << "no older than what was seen";
}

TEST_F(reflector_test, counts_error_events_from_the_last_good_event) {
  const auto s = start_with({{"a", "1"}}, "5");
  for (int n = 6; n < 20; ++n) {
    push(modified({"a", std::to_string(n)}) + error_event(500, "InternalError"));
    loop.advance(30s);
    EXPECT_EQ(call().query("resourceVersion"), std::to_string(n));
    EXPECT_EQ(call().query("sendInitialEvents"), "");
    call().answer(200);
  }
}

TEST_F(reflector_test, drops_a_watch_with_an_endless_line) {
  const auto s = start_with({}, "10");
  loop.advance(5s);
  for (int n = 0; n < 9; ++n)
    push(std::string(1U << 20U, 'x'));
  EXPECT_FALSE(transport.calls()[0]->open());
  loop.advance(2s);
  ASSERT_EQ(requests(), 2U);
  EXPECT_EQ(call().query("resourceVersion"), "10");
}

TEST_F(reflector_test, lists_after_the_same_bad_line_again_and_again) {
  const auto s = start_with({{"a", "1"}}, "5");
  for (int n = 0; n < 3; ++n) {
    push("{\"kind\":\"Status\",\"code\":500}\n");
    loop.advance(10s);
    EXPECT_EQ(call().query("sendInitialEvents"), "") << "resumes, attempt " << n;
    call().answer(200);
  }
  push("{\"type\":\"ADDED\n");
  EXPECT_THAT(s->view().trouble(), HasSubstr("bad_line: "));
  loop.advance(30s);
  EXPECT_EQ(call().query("sendInitialEvents"), "true") << "the object behind it comes by a list";
  EXPECT_EQ(call().query("resourceVersion"), "5");
}

TEST_F(reflector_test, lets_others_on_the_loop_have_their_turn) {
  const auto s = start();
  call().answer(200);
  std::string bytes;
  for (int n = 0; n < 100; ++n)
    bytes += added({"w" + std::to_string(n), std::to_string(n + 1)});
  call().push(bytes + end_of_list("200"));
  int turns = 0;
  int turns_before_sync = 0;
  std::function<void()> other = [&] {
    ++turns;
    if (!s->view().synced()) ++turns_before_sync;
    if (turns < 1000) boost::asio::post(loop.loop(), other);
  };
  loop.clock.tick_on_read(100us);
  boost::asio::post(loop.loop(), other);
  loop.run_ready();
  loop.clock.tick_on_read(0ns);
  EXPECT_TRUE(s->view().synced());
  EXPECT_GE(turns_before_sync, 30) << "100 objects of at least 0.1 ms, slices of 0.25 ms";
}

}  // namespace
}  // namespace oarlock::cache
