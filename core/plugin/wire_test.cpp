#include <gtest/gtest.h>

#include "core/plugin/child_answer.hpp"
#include "core/plugin/inbound_frames.hpp"
#include "core/plugin/load_request.hpp"
#include "core/plugin/metric_frames.hpp"
#include "core/plugin/review_frames.hpp"

namespace oarlock::plugin {
namespace {

oarlock_str_view view_of(std::string_view text) {
  return {text.data(), text.size()};
}
oarlock_bytes_view bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

const controller::controller_spec& spec() {
  static const controller::controller_spec one{"zoo",
                                               "zoo",
                                               {"example.com", "v1", "Animal", "animals", true},
                                               {{"", "v1", "ConfigMap", "configmaps", true}},
                                               {},
                                               1,
                                               {}};
  return one;
}

controller::plan_input input() {
  controller::plan_input in;
  in.spec = &spec();
  in.key = {"shop", "ape"};
  return in;
}

// An answer with a call of several slots and a log record.
std::string good_answer() {
  std::string text;
  wire::writer w(text);
  w.i32(OARLOCK_OK);
  w.u8(0);
  w.u8(0);
  w.text("");
  w.u64(4);
  wire::put_call(w, 0, std::uint32_t{7}, oarlock_encoding{OARLOCK_ENCODING_JSON},
                 bytes(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}})"));
  const oarlock_condition_view condition{sizeof(condition), OARLOCK_CONDITION_TRUE,
                                         view_of("Ready"), view_of("Fine"), view_of("well")};
  wire::put_call(w, 2, &condition);
  w.u8(wire::log_call);
  const oarlock_pair_view pair{view_of("replicas"), view_of("3")};
  wire::put_log(w, OARLOCK_LOG_DEBUG, view_of("thinking"), &pair, 1);
  wire::put_call(w, 4, std::int64_t{1500});
  return text;
}

std::optional<controller::plan_output> replay(std::string_view payload) {
  static host_table host("zoo");
  static plan_sink sink("zoo");
  return replay_answer(payload, input(), sink, host);
}

TEST(wire, an_answer_is_replayed) {
  const auto out = replay(good_answer());
  ASSERT_TRUE(out);
  EXPECT_EQ(out->verdict, controller::plan_verdict::done) << out->fail_message;
  ASSERT_EQ(out->apply_set.size(), 1U);
  EXPECT_EQ(out->apply_set[0].group, 7U);
  ASSERT_EQ(out->conditions.size(), 1U);
  EXPECT_EQ(out->conditions[0].message, "well");
  EXPECT_EQ(out->requeue_after, std::chrono::milliseconds(1500));
}

TEST(wire, an_answer_that_is_cut_or_goes_on_is_none) {
  const std::string good = good_answer();
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(replay(std::string_view(good).substr(0, size))) << size;
  EXPECT_FALSE(replay(good + "x"));
}

std::string measured() {
  std::string text;
  wire::writer w(text);
  wire::put_metric(w, {OARLOCK_METRIC_COUNTER, "meals_total", "Meals", {"food"}, {}});
  wire::put_metric(w, {OARLOCK_METRIC_HISTOGRAM, "weight", "Weights", {}, {1, 2}});
  wire::put_series(w, 0, {"hay"});
  wire::put_series(w, 1, {});
  wire::put_change(w, wire::metric_entry::add, 0, 2);
  wire::put_observed(w, 1, {1, 0, 2}, 30);
  wire::put_overflow(w, 0, 5);
  return text;
}

bool take_metrics(std::string_view text, metric_registry& page) {
  registry_metrics table({"zoo", 10, &page});
  wire::metric_replay replay;
  wire::reader r(text);
  return replay.take(r, table);
}

TEST(wire, metrics_that_are_cut_or_of_nothing_are_none) {
  const auto page = make_prometheus_registry();
  const auto good = measured();
  EXPECT_TRUE(take_metrics(good, *page));
  std::size_t whole = 0;  // cuts between two entries
  for (std::size_t size = 1; size < good.size(); ++size)
    whole += take_metrics(std::string_view(good).substr(0, size), *page) ? 1 : 0;
  EXPECT_EQ(whole, 6U);
  std::string stray;
  wire::writer w(stray);
  wire::put_change(w, wire::metric_entry::set, 0, 1);
  EXPECT_FALSE(take_metrics(stray, *page)) << "no such series";
  std::string of_counter = good;
  wire::writer more(of_counter);
  wire::put_observed(more, 0, {1}, 1);
  EXPECT_FALSE(take_metrics(of_counter, *page));
}

TEST(wire, a_metric_that_the_daemon_refuses_is_passed_over) {
  const auto page = make_prometheus_registry();
  page->make_gauge("zoo_meals_total", "of somebody else", {});
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(take_metrics(measured(), *page));
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("the name is taken by one of another type plugin=zoo"), std::string::npos)
      << log;
}

TEST(wire, a_call_of_no_slot_is_none) {
  std::string text;
  wire::writer w(text);
  w.i32(OARLOCK_OK);
  w.u8(0);
  w.u8(0);
  w.text("");
  w.u64(1);
  w.u8(static_cast<std::uint8_t>(wire::plan_slot_count));
  EXPECT_FALSE(replay(text));
}

TEST(wire, what_was_too_long_to_cross_is_refused_by_the_sink) {
  const std::string huge(wire::view_bytes_max + 10, ' ');
  std::string text;
  wire::writer w(text);
  w.i32(OARLOCK_OK);
  w.u8(0);
  w.u8(0);
  w.text("");
  w.u64(1);
  wire::put_call(w, 0, std::uint32_t{0}, oarlock_encoding{OARLOCK_ENCODING_JSON}, bytes(huge));
  EXPECT_LT(text.size(), 100U);
  const auto out = replay(text);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->fail_reason, "PlanRefused");
}

TEST(wire, inputs_come_out_as_they_went_in) {
  const oarlock_object_view objects[3] = {
      {sizeof(oarlock_object_view), OARLOCK_ENCODING_JSON, view_of("animals.example.com"),
       bytes("{1}")},
      {sizeof(oarlock_object_view), OARLOCK_ENCODING_JSON, view_of("configmaps"), bytes("{2}")},
      {sizeof(oarlock_object_view), OARLOCK_ENCODING_JSON, view_of("pods"), bytes("{3}")}};
  const oarlock_failure_view failure{sizeof(failure), 0, view_of("apply"), view_of("Conflict"),
                                     view_of("why")};
  oarlock_plan_view view{};
  view.struct_size = sizeof(view);
  view.object_stride = sizeof(oarlock_object_view);
  view.controller = view_of("zoo");
  view.object_namespace = view_of("shop");
  view.object_name = view_of("ape");
  view.primary = &objects[0];
  view.owned = &objects[1];
  view.owned_count = 1;
  view.watched = &objects[2];
  view.watched_count = 1;
  view.now_unix_ms = -5;
  view.deleting = 1;
  view.last_failure = &failure;
  const oarlock_note_view notes[2] = {
      {sizeof(oarlock_note_view), OARLOCK_ENCODING_JSON, view_of("a"), bytes("1"),
       view_of("trainer"), view_of("pod"), view_of("uid"), 7},
      {sizeof(oarlock_note_view), OARLOCK_ENCODING_JSON, view_of("b"), bytes("[2]"), view_of("x"),
       view_of("y"), view_of("z"), -7}};
  view.notes = notes;
  view.note_count = 2;
  view.note_stride = sizeof(oarlock_note_view);
  const oarlock_inbound_view inbound{sizeof(inbound), 0, view_of("https://x"), view_of("PEM"),
                                     view_of("aud")};
  view.inbound = &inbound;
  std::string text;
  wire::writer w(text);
  wire::put_input(w, view);
  wire::reader r(text);
  const wire::taken_input taken(r);
  EXPECT_TRUE(r.ok() && r.at_end());
  std::string again;
  wire::writer second(again);
  wire::put_input(second, *taken.view());
  EXPECT_EQ(again, text);
  EXPECT_EQ(taken.view()->watched->bytes.size, 3U);
  EXPECT_EQ(taken.view()->deleting, 1);
  ASSERT_EQ(taken.view()->note_count, 2U);
  EXPECT_EQ(taken.view()->notes[1].recorded_unix_ms, -7);
  ASSERT_NE(taken.view()->inbound, nullptr);
  EXPECT_EQ(taken.view()->inbound->audience.size, 3U);
}

inbound_answer noted() {
  inbound_answer out;
  out.status = 202;
  out.content_type = "text/x";
  out.body = "body";
  out.why = "because";
  out.notes = {{"zoo", "a", "1"}, {"zoo", "b", "[2]"}};
  return out;
}

TEST(wire, an_answer_to_a_pod_comes_out_as_it_went_in_or_not_at_all) {
  std::string text;
  wire::writer w(text);
  wire::put_answer(w, noted());
  const auto take = [](std::string_view frame) {
    wire::reader r(frame);
    return wire::take_inbound_answer(r);
  };
  const auto out = take(text);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->status, 202);
  EXPECT_EQ(out->content_type + out->body + out->why, "text/xbodybecause");
  ASSERT_EQ(out->notes.size(), 2U);
  EXPECT_EQ(out->notes[1].controller + out->notes[1].name + out->notes[1].json, "zoob[2]");
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(take(std::string_view(text).substr(0, size))) << size;
  EXPECT_FALSE(take(text + "x"));
}

TEST(wire, an_answer_to_a_pod_is_sound_as_the_core_home_would_have_it) {
  const std::vector<std::string> controllers{"zoo"};
  EXPECT_TRUE(is_sound(noted(), controllers));
  const auto spoiled = [&](auto change) {
    auto one = noted();
    change(one);
    return is_sound(one, controllers);
  };
  EXPECT_FALSE(spoiled([](auto& a) { a.status = 100; }));
  EXPECT_FALSE(spoiled([](auto& a) { a.status = 600; }));
  EXPECT_FALSE(spoiled([](auto& a) { a.content_type = "a\r\nb: c"; }));
  EXPECT_FALSE(spoiled([](auto& a) { a.body.resize(inbound_limits::body_bytes_max + 1); }));
  EXPECT_FALSE(spoiled([](auto& a) { a.why = "\xff"; }));
  EXPECT_FALSE(spoiled([](auto& a) { a.notes[0].controller = "lion"; }));
  EXPECT_FALSE(spoiled([](auto& a) { a.notes[0].name = "a b"; }));
  EXPECT_FALSE(spoiled([](auto& a) { a.notes[0].json = "{"; }));
  EXPECT_FALSE(spoiled([](auto& a) {
    a.notes[0].json = "\"" + std::string(inbound_limits::note_bytes_max, 'x') + "\"";
  }));
  EXPECT_FALSE(spoiled([](auto& a) { a.notes.resize(inbound_limits::notes_max + 1, a.notes[0]); }));
}

TEST(wire, a_request_of_a_pod_comes_out_as_it_went_in) {
  inbound_request request{"POST",
                          "shop",
                          "ape",
                          "rest",
                          "q=1",
                          "text/x",
                          "body",
                          "trainer",
                          "pod",
                          "uid",
                          wall_time(std::chrono::milliseconds(7))};
  std::string text;
  wire::writer w(text);
  wire::put_request(w, lent_request(request), std::chrono::milliseconds(5));
  wire::reader r(text);
  const auto taken = wire::take_request(r);
  EXPECT_TRUE(r.ok() && r.at_end());
  EXPECT_EQ(taken.time_left.count(), 5);
  std::string again;
  wire::writer second(again);
  wire::put_request(second, taken.view, taken.time_left);
  EXPECT_EQ(again, text);
}

TEST(wire, a_review_comes_out_as_it_went_in) {
  const review_request request{review_task::convert,
                               "zoo",
                               OARLOCK_REVIEW_UPDATE,
                               "{1}",
                               "{2}",
                               "example.com/v2",
                               wall_time(std::chrono::milliseconds(7))};
  std::string text;
  wire::writer w(text);
  wire::put_review(w, request.task, lent_review(request), std::chrono::milliseconds(5));
  wire::reader r(text);
  const auto taken = wire::take_review(r);
  EXPECT_TRUE(r.ok() && r.at_end());
  EXPECT_EQ(taken.time_left.count(), 5);
  std::string again;
  wire::writer w2(again);
  wire::put_review(w2, taken.task, taken.view, taken.time_left);
  EXPECT_EQ(again, text);
}

TEST(wire, an_answer_to_a_review_comes_out_as_it_went_in_or_not_at_all) {
  std::string text;
  wire::writer w(text);
  wire::put_reviewed(w, {review_verdict::refused, "spec", "no", {"a", "b"}, "{}"});
  const auto take = [](std::string_view frame) {
    wire::reader r(frame);
    return wire::take_reviewed(r);
  };
  const auto out = take(text);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->verdict, review_verdict::refused);
  EXPECT_EQ(out->field + out->why + out->object_json, "specno{}");
  EXPECT_EQ(out->warnings, (std::vector<std::string>{"a", "b"}));
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(take(std::string_view(text).substr(0, size))) << size;
  EXPECT_FALSE(take(text + "x"));
}

TEST(wire, counts_and_workers_that_cannot_be_are_refused) {
  std::string text;
  wire::writer w(text);
  w.u64(1U << 30U);
  wire::reader r(text);
  EXPECT_EQ(r.count(wire::objects_max, 1), 0U);
  EXPECT_FALSE(r.ok());
  wire::load_request request;
  request.workers = wire::workers_max + 1;
  std::string loaded;
  wire::writer load(loaded);
  wire::put(load, request);
  wire::reader from(loaded);
  (void)wire::take_load_request(from);
  EXPECT_FALSE(from.ok());
}

}  // namespace
}  // namespace oarlock::plugin
