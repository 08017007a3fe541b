#include "core/controller/work_queue.hpp"

#include <gtest/gtest.h>

#include <random>

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;

const cache::object_key a{"ns", "a"};
const cache::object_key b{"ns", "b"};
const steady_time t0{};

TEST(WorkQueue, MergesRepeatedAdds) {
  work_queue q;
  EXPECT_TRUE(q.add(a, t0));
  EXPECT_FALSE(q.add(a, t0));
  EXPECT_EQ(q.depth(), 1U);
  EXPECT_EQ(q.take(t0)->key, a);
  EXPECT_FALSE(q.take(t0));
}

TEST(WorkQueue, RunsOnceMoreWhenAddedWhileProcessed) {
  work_queue q;
  q.add(a, t0);
  ASSERT_TRUE(q.take(t0));
  EXPECT_TRUE(q.add(a, t0));
  EXPECT_FALSE(q.add(a, t0));
  EXPECT_FALSE(q.take(t0)) << "never two workers on a key";
  EXPECT_TRUE(q.done(a, t0));
  EXPECT_EQ(q.take(t0)->key, a);
  EXPECT_FALSE(q.done(a, t0));
  EXPECT_FALSE(q.take(t0));
}

TEST(WorkQueue, KeepsOrderOfArrival) {
  work_queue q;
  q.add(b, t0);
  q.add(a, t0);
  EXPECT_EQ(q.take(t0)->key, b);
  EXPECT_EQ(q.take(t0)->key, a);
}

TEST(WorkQueue, DelayedKeyIsReadyAtItsTimeAndNotBefore) {
  work_queue q;
  q.add_at(a, t0 + 10ms, t0);
  EXPECT_EQ(q.depth(), 0U);
  EXPECT_EQ(q.next_delayed(), t0 + 10ms);
  EXPECT_FALSE(q.take(t0 + 9ms));
  const auto taken = q.take(t0 + 10ms);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->added, t0 + 10ms) << "stamped when the delay lapsed";
}

TEST(WorkQueue, EarlierTimeWins) {
  work_queue q;
  q.add_at(a, t0 + 10ms, t0);
  q.add_at(a, t0 + 20ms, t0);
  EXPECT_EQ(q.next_delayed(), t0 + 10ms);
  q.add_at(a, t0 + 5ms, t0);
  EXPECT_EQ(q.next_delayed(), t0 + 5ms);
  q.add(a, t0);
  EXPECT_FALSE(q.next_delayed()) << "ready now beats any delay";
  EXPECT_TRUE(q.take(t0));
}

TEST(WorkQueue, DelayForAKeyThatIsProcessedWaitsUntilItIsDone) {
  work_queue q;
  q.add(a, t0);
  ASSERT_TRUE(q.take(t0));
  q.add_at(a, t0 + 1ms, t0);
  EXPECT_FALSE(q.take(t0 + 2ms)) << "lapsed while processed: dirty, not taken twice";
  EXPECT_TRUE(q.done(a, t0 + 3ms));
  EXPECT_TRUE(q.take(t0 + 3ms));
}

TEST(WorkQueue, BackoffDoublesToItsCapAndForgetResets) {
  work_queue q;
  duration expected = work_queue::backoff_base;
  steady_time now = t0;
  for (int i = 0; i < 17; ++i) {
    EXPECT_EQ(q.next_backoff(a, now), expected);
    now += expected;
    expected *= 2;
  }
  for (int i = 0; i < 200; ++i)
    (void)q.next_backoff(a, now += 1s);
  EXPECT_EQ(q.next_backoff(a, now), work_queue::backoff_max);
  q.forget(a);
  EXPECT_EQ(q.next_backoff(a, now), work_queue::backoff_base);
}

TEST(WorkQueue, RetriesOfAllKeysTogetherComeOneEach100MsAfterABurst) {
  work_queue q;
  const auto fail = [&q](int n, steady_time now) {
    return q.next_backoff({"ns", std::to_string(n)}, now);
  };
  for (int n = 0; n < work_queue::retry_burst; ++n)
    EXPECT_EQ(fail(n, t0), work_queue::backoff_base) << n;
  EXPECT_EQ(fail(1000, t0), 100ms);
  EXPECT_EQ(fail(1001, t0), 200ms);
  EXPECT_EQ(fail(1002, t0 + 300ms), work_queue::backoff_base) << "three turns have come by";
  EXPECT_EQ(fail(1003, t0 + 1h), work_queue::backoff_base);
}

TEST(WorkQueue, HigherPriorityGoesFirstAndKeepsItsAge) {
  work_queue q;
  const cache::object_key c{"ns", "c"};
  EXPECT_TRUE(q.add(a, t0, priority::low));
  EXPECT_TRUE(q.add(b, t0, priority::low));
  EXPECT_TRUE(q.add(c, t0 + 1ms));
  EXPECT_FALSE(q.add(b, t0 + 2ms)) << "it was ready; now it overtakes";
  EXPECT_FALSE(q.add(c, t0 + 2ms, priority::low)) << "and this one does not fall back";
  EXPECT_EQ(q.depth(priority::low), 1U);
  EXPECT_EQ(q.depth(priority::normal), 2U);
  EXPECT_EQ(q.take(t0 + 3ms)->key, c);
  const auto second = q.take(t0 + 3ms);
  EXPECT_EQ(second->key, b);
  EXPECT_EQ(second->added, t0);
  EXPECT_EQ(q.take(t0 + 3ms)->key, a);
  EXPECT_EQ(q.depth(), 0U);
}

TEST(WorkQueue, PriorityIsKeptAcrossRetriesAndDirtyRuns) {
  work_queue q;
  q.add(a, t0, priority::low);
  ASSERT_TRUE(q.take(t0));
  q.add_at(a, t0 + 1s, t0);
  q.done(a, t0);
  q.add(b, t0, priority::low);
  ASSERT_EQ(q.take(t0)->key, b);
  q.add(b, t0 + 1s);
  q.done(b, t0 + 1s);
  EXPECT_EQ(q.take(t0 + 1s)->key, b) << "dirty by a normal add";
  EXPECT_EQ(q.depth(priority::low), 1U) << "a retry of low work stays low";
  EXPECT_EQ(q.take(t0 + 1s)->key, a);
}

TEST(WorkQueue, AChangeRaisesADelayedRetryOfLowWork) {
  work_queue q;
  q.add(a, t0, priority::low);
  ASSERT_TRUE(q.take(t0));
  q.add_at(a, t0 + 1s, t0);
  q.done(a, t0);
  EXPECT_TRUE(q.add(a, t0));
  EXPECT_EQ(q.depth(priority::normal), 1U);
  EXPECT_FALSE(q.next_delayed());
}

TEST(WorkQueue, ClearDropsWhatWaitsAndKeepsWhatRuns) {
  work_queue q;
  q.add(a, t0);
  ASSERT_TRUE(q.take(t0));
  q.add(a, t0);
  q.add(b, t0);
  q.clear();
  EXPECT_FALSE(q.take(t0));
  EXPECT_FALSE(q.done(a, t0));
  EXPECT_EQ(q.processing(), 0U);
}

// The contract over random histories: no key is taken twice, and no add is lost.
TEST(WorkQueue, ShowsWhatItHoldsAndNoMoreThanAsked) {
  work_queue q;
  const auto key = [](int i) { return cache::object_key{"ns", std::string(1, char('a' + i))}; };
  q.add(key(0), t0);
  ASSERT_TRUE(q.take(t0 + 1s));
  for (int i = 1; i <= 5; ++i)
    q.add(key(i), t0);
  q.add_at(key(7), t0 + 20s, t0);
  q.add_at(key(6), t0 + 10s, t0);
  (void)q.next_backoff(key(6), t0);
  (void)q.next_backoff(key(6), t0);
  const auto s = q.snapshot(t0 + 4s, 2);
  EXPECT_EQ(s.ready_count, 5U);
  EXPECT_EQ(s.ready, (std::vector{key(1), key(2)}));
  EXPECT_EQ(s.delayed_count, 2U);
  ASSERT_EQ(s.delayed.size(), 2U);
  EXPECT_EQ(s.delayed[0].key, key(6));
  EXPECT_EQ(s.delayed[0].time, 6s);
  EXPECT_EQ(s.delayed[1].time, 16s);
  ASSERT_EQ(s.processing.size(), 1U);
  EXPECT_EQ(s.processing[0].key, key(0));
  EXPECT_EQ(s.processing[0].time, 3s);
  EXPECT_EQ(s.failing_count, 1U);
  ASSERT_EQ(s.failures.size(), 1U);
  EXPECT_EQ(s.failures[0].failures, 2U);
}

TEST(WorkQueue, NoLostAddAndNoDoubleTakeUnderRandomHistories) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::minstd_rand random(seed);
    work_queue q;
    std::set<cache::object_key> running;
    std::map<cache::object_key, int> owed;
    steady_time now = t0;
    for (int step = 0; step < 2000; ++step) {
      now += 1ms;
      const cache::object_key key{"ns", std::to_string(random() % 5)};
      switch (random() % 4) {
        case 0:
          q.add(key, now, random() % 2 == 0 ? priority::low : priority::normal);
          owed[key] = 1;
          break;
        case 1:
          q.add_at(key, now + std::chrono::milliseconds(random() % 20), now);
          owed[key] = 1;
          break;
        case 2:
          if (auto taken = q.take(now)) {
            ASSERT_TRUE(running.insert(taken->key).second) << "seed " << seed;
            owed[taken->key] = 0;
          }
          break;
        default:
          if (!running.empty()) {
            const auto finished = *running.begin();
            running.erase(finished);
            q.done(finished, now);
          }
      }
      ASSERT_EQ(q.depth(priority::low) + q.depth(priority::normal), q.depth());
      ASSERT_LE(q.depth(priority::low), q.depth());
    }
    now += 1h;
    for (const auto& key : running)
      q.done(key, now);
    while (auto taken = q.take(now)) {
      owed[taken->key] = 0;
      q.done(taken->key, now);
    }
    for (const auto& [key, debt] : owed) {
      EXPECT_EQ(debt, 0) << key.text() << " seed " << seed;
    }
  }
}

}  // namespace
}  // namespace oarlock::controller
