#include "core/plugin/event_inbox.hpp"

#include <gmock/gmock.h>

#include "tests/support/fake_clock.hpp"

namespace oarlock::plugin {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class event_inbox_test : public ::testing::Test {
 protected:
  event_inbox make(std::uint64_t per_second) {
    return event_inbox({"boats", {"rower", "sailor"}, per_second, &clock_, metrics_.get()});
  }
  void advance(duration by) { clock_.set(clock_.now() + by); }
  double over() {
    const auto text = metrics_->serialize();
    const std::string line =
        "oarlock_plugin_over_quota_total{plugin=\"boats\",quota=\"enqueues-per-second\"} ";
    const auto at = text.find(line);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size()));
  }
  static std::string text_of(const event_inbox::batch& b) {
    std::string out;
    for (const auto& e : b.keys)
      out += e.controller + " " + e.key.text() + ";";
    return out;
  }

  test::fake_clock clock_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
};

TEST_F(event_inbox_test, a_key_waits_once_and_in_its_order) {
  auto inbox = make(0);
  int told = 0;
  inbox.on_ready([&] { ++told; });
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(inbox.add("rower", "shop", "b"), OARLOCK_OK);
    EXPECT_EQ(inbox.add("rower", "shop", "a"), OARLOCK_OK);
    EXPECT_EQ(inbox.add("sailor", "", "a"), OARLOCK_OK);
  }
  EXPECT_EQ(told, 1);
  const auto taken = inbox.take();
  EXPECT_EQ(text_of(taken), "rower shop/b;rower shop/a;sailor a;");
  EXPECT_FALSE(taken.next);
  EXPECT_EQ(inbox.add("rower", "shop", "a"), OARLOCK_OK);
  EXPECT_EQ(told, 2) << "after nothing waited any more";
}

TEST_F(event_inbox_test, what_came_before_there_was_a_taker_is_told) {
  auto inbox = make(0);
  EXPECT_EQ(inbox.add("rower", "shop", "a"), OARLOCK_OK);
  int told = 0;
  inbox.on_ready([&] { ++told; });
  EXPECT_EQ(told, 1);
  inbox.on_ready([&] { told += 10; });  // the plugin moved to another home
  EXPECT_EQ(told, 11);
}

TEST_F(event_inbox_test, only_own_controllers_and_names) {
  auto inbox = make(0);
  EXPECT_EQ(inbox.add("swimmer", "shop", "a"), OARLOCK_INVALID);
  EXPECT_EQ(inbox.add("", "shop", "a"), OARLOCK_INVALID);
  EXPECT_EQ(inbox.add("rower", "shop", ""), OARLOCK_INVALID);
  EXPECT_EQ(inbox.add("rower", "shop", std::string(254, 'a')), OARLOCK_INVALID);
  EXPECT_EQ(inbox.add("rower", std::string(64, 'a'), "a"), OARLOCK_INVALID);
  EXPECT_THAT(inbox.take().keys, IsEmpty());
}

TEST_F(event_inbox_test, what_comes_too_fast_waits_and_is_named_once) {
  auto inbox = make(2);
  for (const char* name : {"a", "b", "c", "d"})
    EXPECT_EQ(inbox.add("rower", "shop", name), OARLOCK_OK);
  ::testing::internal::CaptureStderr();
  auto taken = inbox.take();
  EXPECT_EQ(text_of(taken), "rower shop/a;rower shop/b;");
  EXPECT_EQ(taken.next, 500ms);
  EXPECT_EQ(over(), 1);
  EXPECT_EQ(text_of(inbox.take()), "") << "too early";
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_THAT(log, HasSubstr("boats"));
  EXPECT_THAT(log, HasSubstr("enqueues-per-second"));
  advance(1s);
  taken = inbox.take();
  EXPECT_EQ(text_of(taken), "rower shop/c;rower shop/d;");
  EXPECT_FALSE(taken.next);
}

TEST_F(event_inbox_test, what_does_not_exist_costs_little_and_holds_up_nobody) {
  auto inbox = make(2);
  for (int i = 0; i < 2 * event_inbox::looks_per_key - 1; ++i)
    EXPECT_EQ(inbox.add("rower", "shop", "no-" + std::to_string(i)), OARLOCK_OK);
  EXPECT_EQ(inbox.add("rower", "shop", "a"), OARLOCK_OK);
  EXPECT_EQ(inbox.add("rower", "shop", "b"), OARLOCK_OK);
  const auto exists = [](const event_inbox::entry& e) { return e.key.name.size() == 1; };
  EXPECT_EQ(text_of(inbox.take(exists)), "rower shop/a;") << "one for 100 looks, one for a";
  advance(500ms);
  EXPECT_EQ(text_of(inbox.take(exists)), "rower shop/b;");
}

TEST_F(event_inbox_test, too_many_keys_become_all_keys) {
  auto inbox = make(1);
  for (std::size_t i = 0; i <= event_inbox::keys_max; ++i)
    EXPECT_EQ(inbox.add("rower", "shop", std::to_string(i)), OARLOCK_OK);
  EXPECT_EQ(over(), 1);
  ::testing::internal::CaptureStderr();
  auto taken = inbox.take();
  EXPECT_EQ(taken.keys.size(), 1U);
  EXPECT_THAT(taken.whole, ElementsAre("rower")) << "the one that found no place is among them";
  // A plugin that goes on: one in a while.
  EXPECT_EQ(inbox.add("rower", "shop", "again"), OARLOCK_OK);
  EXPECT_EQ(inbox.add("rower", "shop", "and-again"), OARLOCK_OK);
  EXPECT_THAT(inbox.take().whole, IsEmpty());
  advance(event_inbox::whole_period);
  EXPECT_THAT(inbox.take().whole, ElementsAre("rower"));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("over its quota"));
}

}  // namespace
}  // namespace oarlock::plugin
