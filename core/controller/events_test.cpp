// What becomes of a note: one event, then a series; bounded in bytes, in memory and in the queue.
#include "core/controller/events.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/controller/test_objects.hpp"
#include "core/json/parse.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/scripted_transport.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;

class event_recorder_test : public ::testing::Test {
 protected:
  event_recorder_test() {
    log_configure(log_level::error, log_format::text);
    transport.on_request = [this](const test::scripted_call_ptr& call) {
      sent.push_back(call);
      if (serving) call->reply(status, status < 300 ? "{}" : "no");
    };
  }
  ~event_recorder_test() override { log_configure(log_level::info, log_format::text); }

  static event_note note(const std::string& name, const std::string& text) {
    return {"p", widgets, {"ns", name}, "u-" + name, true, "Failed", "Reconcile", text};
  }
  void record(const event_note& n) {
    recorder.record(n);
    loop.run_ready();
  }
  /// A string of the latest request's body.
  std::string last(const std::string& pointer) {
    const auto body = json::parse(sent.back()->request().body);
    return body ? std::string(json::string_at(*body, pointer)) : "no JSON";
  }
  bool counted(const std::string& line) {
    return metrics->serialize().find(line + "\n") != std::string::npos;
  }

  test::test_loop loop;
  test::scripted_transport transport{loop};
  std::unique_ptr<metric_registry> metrics = make_prometheus_registry();
  kube::client client{
      {loop.loop(), &transport, nullptr, &loop.clock, &loop.timers, metrics.get(), nullptr}};
  event_recorder recorder{
      {loop.loop(), &client, &loop.clock, &loop.timers, metrics.get(), "instance"}};
  std::vector<test::scripted_call_ptr> sent;
  bool serving = true;
  int status = 201;
};

TEST_F(event_recorder_test, a_note_again_and_again_is_one_event_and_then_a_series) {
  record(note("a", "why"));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0]->request().method, "POST");
  EXPECT_EQ(last("/note"), "why");
  EXPECT_EQ(last("/type"), "Warning");
  EXPECT_EQ(last("/regarding/uid"), "u-a");
  const auto name = last("/metadata/name");
  for (int i = 0; i < 29; ++i) {
    loop.advance(1s);
    record(note("a", "why"));
  }
  EXPECT_EQ(sent.size(), 1U) << "at most once in 30 s";
  loop.advance(1s);
  record(note("a", "why"));
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1]->request().method, "PATCH");
  EXPECT_TRUE(sent[1]->path().ends_with("/events/" + name)) << sent[1]->path();
  EXPECT_EQ(json::int_at(*json::parse(sent[1]->request().body), "/series/count"), 31);
  loop.advance(7min);
  record(note("a", "why"));
  EXPECT_EQ(sent.back()->request().method, "POST") << "silent for 6 minutes: a new one";
}

TEST_F(event_recorder_test, long_texts_are_cut_between_characters) {
  std::string text(1023, 'x');
  for (int i = 0; i < 10; ++i)
    text += "\xc3\xa9";
  record(note("a", text));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(last("/note"), std::string(1023, 'x')) << "half a character is no UTF-8";
  record(note("a", text.substr(1)));
  EXPECT_EQ(last("/note"), std::string(1022, 'x') + "\xc3\xa9");
}

TEST_F(event_recorder_test, a_full_queue_drops_the_newest_and_counts_it) {
  serving = false;
  record(note("first", "why"));
  for (std::size_t i = 0; i < limits::event_queue_max + 3; ++i)
    recorder.record(note("n" + std::to_string(i), "why"));
  loop.run_ready();
  ASSERT_EQ(sent.size(), 1U) << "one at a time";
  EXPECT_TRUE(counted("oarlock_events_dropped_total 3"));
  serving = true;
  sent.front()->reply(201, "{}");
  loop.await(recorder.flush(loop.clock.now() + 1min));
  EXPECT_EQ(sent.size(), limits::event_queue_max + 1);
  EXPECT_TRUE(counted("oarlock_events_sent_total 1001"));
}

TEST_F(event_recorder_test, a_refused_event_is_counted_and_the_next_goes_out) {
  status = 403;
  record(note("a", "why"));
  EXPECT_TRUE(counted("oarlock_events_dropped_total 1"));
  status = 201;
  record(note("b", "why"));
  EXPECT_TRUE(counted("oarlock_events_sent_total 1"));
}

TEST_F(event_recorder_test, new_events_about_one_object_are_limited_and_others_are_not_touched) {
  for (int i = 0; i < event_recorder::burst + 5; ++i)
    record(note("a", "why " + std::to_string(i)));
  const auto burst = static_cast<std::size_t>(event_recorder::burst);
  EXPECT_EQ(sent.size(), burst);
  EXPECT_TRUE(counted("oarlock_events_discarded_total 5"));
  auto other = note("a", "why");
  other.plugin = "q";
  record(other);
  EXPECT_EQ(sent.size(), burst + 1) << "another plugin has a limit of its own";
  auto normal = note("a", "why");
  normal.warning = false;
  record(normal);
  record(note("b", "why"));
  EXPECT_EQ(sent.size(), burst + 3) << "so have another type and another object";
  loop.advance(5min);
  record(note("a", "again 1"));
  record(note("a", "again 2"));
  EXPECT_EQ(sent.size(), burst + 4) << "then one in five minutes";
  loop.advance(burst * 5min);
  for (int i = 0; i < event_recorder::burst; ++i)
    record(note("a", "later " + std::to_string(i)));
  EXPECT_EQ(sent.size(), 2 * burst + 4) << "and a whole burst after a long silence";
}

TEST_F(event_recorder_test, a_series_goes_on_past_the_limit) {
  record(note("a", "first"));
  for (int i = 0; i < event_recorder::burst; ++i)
    record(note("a", "why " + std::to_string(i)));
  loop.advance(31s);
  record(note("a", "first"));
  EXPECT_EQ(sent.back()->request().method, "PATCH");
}

TEST_F(event_recorder_test, switched_off_nothing_is_sent) {
  event_recorder off{
      {loop.loop(), &client, &loop.clock, &loop.timers, metrics.get(), "instance", false}};
  off.record(note("a", "why"));
  loop.run_ready();
  EXPECT_TRUE(sent.empty());
}

TEST_F(event_recorder_test, the_memory_of_past_series_is_bounded) {
  record(note("old", "why"));
  loop.advance(3min);
  record(note("young", "why"));
  loop.advance(4min);  // "old" has ended, "young" has not
  for (std::size_t i = 0; i + 2 < event_recorder::series_max; ++i)
    record(note("n" + std::to_string(i), "why"));
  record(note("one more", "why"));
  record(note("young", "why"));
  EXPECT_EQ(sent.back()->request().method, "PATCH") << "only what has ended was forgotten";
  for (std::size_t i = 0; i < 10; ++i)
    record(note("m" + std::to_string(i), "why"));
  EXPECT_EQ(sent.size(), event_recorder::series_max + 12) << "each is sent, however many there are";
}

}  // namespace
}  // namespace oarlock::controller
