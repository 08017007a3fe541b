// How a process that stands by hears of the lease: by its watch, at expiry, else by asking.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/log.hpp"
#include "core/election/elector.hpp"
#include "core/election/lease_world.hpp"

namespace oarlock::election {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Each;
using testing::fate;
using ::testing::HasSubstr;
using testing::is_watch;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::world;

constexpr auto longest_poll = 4400ms;  // one retry period with the largest jitter

/// "a" leads, "b" stands by.
struct pair {
  world w;
  testing::candidate& a = w.add("a");
  testing::candidate& b = w.add("b", 2);
  pair() {
    log_configure(log_level::error, log_format::text);
    a.start();
    w.settle();
  }
  ~pair() { log_configure(log_level::info, log_format::text); }
  void let_b_stand() {
    b.start();
    w.advance(5s);
    w.server.log.clear();
  }
  void release() {
    a.stop.request_stop();
    w.settle();
    a.release();
    w.settle();
  }
};

TEST(lease_watch, asks_for_the_one_lease_and_only_while_standing_by) {
  pair p;
  p.let_b_stand();
  p.w.advance(60s);
  EXPECT_THAT(p.a.wire.watched, IsEmpty());
  ASSERT_THAT(p.b.wire.watched, SizeIs(1));
  EXPECT_THAT(p.b.wire.watched, Each(AllOf(HasSubstr("/namespaces/ns/leases?"),
                                           HasSubstr("fieldSelector=metadata.name%3Dlease"))));
  p.release();
  ASSERT_TRUE(p.b.standing->leading());
  p.b.wire.tell();
  EXPECT_THAT(p.b.wire.watches, IsEmpty()) << "a leader needs no watch";
}

TEST(lease_watch, spares_the_polls_while_the_holder_renews) {
  pair p;
  p.let_b_stand();
  p.w.advance(60s);
  EXPECT_THAT(p.w.server.log, Each(std::string("PUT a 200")));
  EXPECT_EQ(p.b.started, 0);
}

TEST(lease_watch, takes_a_released_lease_with_one_write_and_no_read) {
  pair p;
  p.let_b_stand();
  p.release();
  EXPECT_TRUE(p.b.standing->leading());
  ASSERT_FALSE(p.w.server.log.empty());
  EXPECT_EQ(p.w.server.log.back(), "PUT b 200");
  EXPECT_EQ(p.w.server.log[p.w.server.log.size() - 2], "PUT  200");
}

TEST(lease_watch, a_lease_expires_on_the_spot_and_not_at_the_next_poll) {
  world w;
  w.server.put({"gone", 15, "t", "t", 0});
  auto& b = w.add("b");
  b.start();
  w.advance(15s - 1ms);
  EXPECT_EQ(b.started, 0);
  w.advance(1ms);
  EXPECT_EQ(b.started, 1);
}

TEST(lease_watch, each_renewal_that_is_heard_begins_a_new_term) {
  world w;
  w.server.put({"other", 15, "t", "t", 0});
  auto& b = w.add("b");
  b.start();
  w.advance(14s);
  w.server.put({"other", 15, "t", "t2", 0});
  w.advance(15s - 1ms);
  EXPECT_EQ(b.started, 0);
  w.advance(1ms);
  EXPECT_EQ(b.started, 1);
}

TEST(lease_watch, refused_it_polls_and_asks_again_each_minute_or_two) {
  for (const int status : {401, 403, 404}) {
    pair p;
    p.b.wire.decide = [&](const auto& r) { return fate{.fail_status = is_watch(r) ? status : 0}; };
    p.let_b_stand();
    p.w.advance(10min);
    // A 401 is tried once more with a fresh token.
    EXPECT_GE(p.b.wire.watched.size(), 5U) << status;
    EXPECT_LE(p.b.wire.watched.size(), 22U) << status;
    EXPECT_GE(p.w.server.count("GET  200"), 600U * 10 / 44) << status;
    p.release();
    p.w.advance(longest_poll);
    EXPECT_TRUE(p.b.standing->leading()) << status;
  }
}

TEST(lease_watch, a_grant_that_comes_later_is_used) {
  pair p;
  bool granted = false;
  p.b.wire.decide = [&](const auto& r) {
    return fate{.fail_status = is_watch(r) && !granted ? 403 : 0};
  };
  p.let_b_stand();
  granted = true;
  p.w.advance(132s);
  p.w.server.log.clear();
  p.w.advance(60s);
  EXPECT_EQ(p.w.server.count("GET  200"), 0U);
}

TEST(lease_watch, that_is_silent_is_made_up_for_by_polls_and_opened_anew) {
  pair p;
  p.let_b_stand();
  p.b.wire.watches_are_silent = true;
  p.w.advance(60s);
  EXPECT_GE(p.b.wire.watched.size(), 4U);
  p.release();
  p.w.advance(longest_poll);
  EXPECT_TRUE(p.b.standing->leading());
}

TEST(lease_watch, opens_again_what_ends_or_talks_nonsense) {
  const char* lines[] = {"\n{\n", "{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n", "[]\n",
                         "{\"type\":\"MODIFIED\"}\n", "{\"type\":\"DELETED\",\"object\":{}}\n"};
  for (const auto* line : lines) {
    pair p;
    p.let_b_stand();
    ASSERT_THAT(p.b.wire.watches, SizeIs(1));
    p.b.wire.watches.front()->send(line);
    p.w.advance(longest_poll);
    EXPECT_THAT(p.b.wire.watched, SizeIs(2)) << line;
    p.b.wire.watches.back()->end();
    p.w.advance(longest_poll);
    EXPECT_THAT(p.b.wire.watched, SizeIs(3)) << line;
    EXPECT_EQ(p.b.started, 0);
    p.release();
    EXPECT_TRUE(p.b.standing->leading()) << line;
  }
}

TEST(lease_watch, what_is_older_than_known_is_no_news) {
  world w;
  w.server.put({"", 1, "t", "t", 0});
  const auto free_lease = *w.server.stored;
  w.server.put({"other", 15, "t", "t", 1});
  auto& b = w.add("b");
  b.start();
  w.advance(1s);
  ASSERT_THAT(b.wire.watches, SizeIs(1));
  b.wire.watches.front()->send(R"({"type":"MODIFIED","object":)" + free_lease + "}\n");
  w.advance(1s);
  EXPECT_EQ(b.standing->holder(), "other");
  EXPECT_EQ(w.server.count("PUT b 409"), 0U);
  w.advance(13s);
  EXPECT_EQ(b.started, 1) << "and the term of the holder is as long as before";
}

TEST(lease_watch, of_a_deleted_lease_does_not_shorten_the_holders_term) {
  world w;
  w.server.put({"other", 15, "t", "t", 0});
  auto& b = w.add("b");
  b.start();
  w.advance(1s);
  b.wire.tell("DELETED");
  w.server.stored.reset();
  w.advance(14s - 1ms);
  EXPECT_EQ(b.started, 0);
  w.advance(longest_poll);
  EXPECT_EQ(b.started, 1);
}

}  // namespace
}  // namespace oarlock::election
