#include "core/election/elector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/log.hpp"
#include "core/election/errors.hpp"
#include "core/election/lease_world.hpp"

namespace oarlock::election {
namespace {

using namespace std::chrono_literals;
using testing::candidate;
using testing::fate;
using ::testing::HasSubstr;
using testing::world;

bool is_write(const net::http_request& r) {
  return r.method != "GET";
}

std::string metrics_of(candidate& c) {
  return c.metrics->serialize();
}

TEST(write_window, is_open_only_until_its_limit) {
  testing::virtual_clock time;
  write_window window(time);
  EXPECT_FALSE(window.check());
  EXPECT_EQ(window.check().error().code, election_error::not_leading);
  window.open_until(time.now() + 8s);
  EXPECT_TRUE(window.check());
  time.steady += 8s - 1ns;
  EXPECT_TRUE(window.check());
  time.steady += 1ns;
  ASSERT_FALSE(window.check());
  EXPECT_THAT(window.check().error().message, HasSubstr("not renewed in time"));
  window.open_forever();
  time.steady += 24h * 3650;
  EXPECT_TRUE(window.check());
  window.close();
  EXPECT_FALSE(window.check());
}

TEST(write_window, shows_its_limit_to_all_who_look) {
  testing::virtual_clock time;
  std::atomic<std::int64_t> shown{1};
  write_window window(time, &shown);
  EXPECT_EQ(shown, std::numeric_limits<std::int64_t>::min());
  window.open_until(time.now() + 8s);
  EXPECT_EQ(shown, std::chrono::nanoseconds(window.limit().time_since_epoch()).count());
  window.open_forever();
  EXPECT_EQ(shown, std::numeric_limits<std::int64_t>::max());
  window.close();
  EXPECT_EQ(shown, std::numeric_limits<std::int64_t>::min());
}

TEST(election_error, has_a_message_for_every_value) {
  EXPECT_THAT(make_error_code(election_error::not_leading).message(), HasSubstr("hold the lease"));
  EXPECT_THAT(make_error_code(election_error::bad_lease).message(), HasSubstr("Lease"));
  EXPECT_THAT(make_error_code(static_cast<election_error>(99)).message(), HasSubstr("unknown"));
}

TEST(elector, creates_a_lease_that_is_not_there) {
  world w;
  auto& a = w.add("a");
  a.start();
  w.settle();
  EXPECT_EQ(a.started, 1);
  EXPECT_TRUE(a.open());
  EXPECT_TRUE(a.standing->leading());
  EXPECT_EQ(a.standing->holder(), "a");
  const auto now = micro_time(w.time.wall);
  EXPECT_EQ(w.server.record(), (lease_record{"a", 15, now, now, 0}));
  EXPECT_THAT(metrics_of(a), HasSubstr("leader_election_master_status{name=\"lease\"} 1"));
}

TEST(elector, takes_a_released_lease_at_once_and_counts_the_transition) {
  world w;
  w.server.put({"", 1, "t", "t", 6});
  auto& a = w.add("a");
  a.start();
  w.settle();
  EXPECT_TRUE(a.standing->leading());
  EXPECT_EQ(w.server.record().transitions, 7);
  EXPECT_EQ(a.standing->left_by(), "");
}

TEST(elector, renews_each_retry_period_with_one_request) {
  world w;
  auto& a = w.add("a");
  a.start();
  w.settle();
  const auto acquired = w.server.record().acquire_time;
  w.server.log.clear();
  w.advance(60s);
  EXPECT_EQ(w.server.count("PUT a 200"), 30U);
  EXPECT_EQ(w.server.log.size(), 30U);
  EXPECT_EQ(w.server.record().acquire_time, acquired);
  EXPECT_EQ(w.server.record().transitions, 0);
  EXPECT_TRUE(a.open());
  EXPECT_EQ(a.started, 1);
}

TEST(elector, waits_for_the_holder_by_its_own_clock_only) {
  // The holder's clock is far off in either direction: its timestamps say nothing.
  for (const auto* stamp : {"1990-01-01T00:00:00.000000Z", "2190-01-01T00:00:00.000000Z"}) {
    world w;
    w.server.put({"other", 15, stamp, stamp, 2});
    auto& a = w.add("a");
    a.start();
    w.advance(14s);
    EXPECT_FALSE(a.standing->leading()) << stamp;
    EXPECT_FALSE(a.open());
    EXPECT_EQ(a.standing->holder(), "other");
    w.advance(6s);
    EXPECT_TRUE(a.standing->leading()) << stamp;
    EXPECT_EQ(w.server.record().transitions, 3);
    EXPECT_EQ(a.standing->left_by(), "other") << "it did not give it up";
  }
}

TEST(elector, a_holder_that_renews_keeps_the_lease) {
  world w;
  auto& a = w.add("a");
  for (int i = 0; i < 20; ++i) {
    w.server.put({"other", 15, "t", "renewed " + std::to_string(i), 0});
    if (i == 0) a.start();
    w.advance(10s);
    ASSERT_EQ(a.started, 0);
  }
  w.advance(20s);
  EXPECT_EQ(a.started, 1);
}

TEST(elector, a_deleted_lease_does_not_shorten_the_holders_term) {
  world w;
  w.server.put({"other", 15, "t", "t", 0});
  auto& a = w.add("a");
  a.start();
  w.advance(1s);
  w.server.stored.reset();
  w.advance(12s);
  EXPECT_EQ(a.started, 0);
  w.advance(8s);
  EXPECT_EQ(a.started, 1);
}

TEST(elector, steps_down_when_renewal_fails_and_stands_again) {
  world w;
  auto& a = w.add("a");
  a.start();
  w.advance(4s);  // the last renewal is sent now
  w.settle();
  const auto renewed = w.time.steady;
  a.wire.decide = [](const auto&) { return fate{.fail_status = 500}; };
  w.advance(8s - 1ms);
  EXPECT_TRUE(a.open());
  w.advance(2ms);
  EXPECT_FALSE(a.open());  // the margin before the renew deadline
  EXPECT_EQ(a.stopped, 0);
  w.advance(renewed + 10s - w.time.steady);
  EXPECT_EQ(a.stopped, 1);
  EXPECT_FALSE(a.window_open_at_stop);
  EXPECT_FALSE(a.standing->leading());
  EXPECT_THAT(metrics_of(a), HasSubstr("leader_election_master_status{name=\"lease\"} 0"));
  EXPECT_FALSE(a.standing->trouble().empty());
  a.wire.decide = [](const auto&) { return fate{}; };
  w.advance(20s);
  EXPECT_EQ(a.started, 2);
  EXPECT_TRUE(a.open());
  EXPECT_TRUE(a.standing->trouble().empty());
  EXPECT_EQ(a.standing->left_by(), "") << "it was our own";
  EXPECT_EQ(w.server.record().transitions, 0);  // nobody else had it
}

TEST(elector, silent_server_is_left_at_the_renew_deadline) {
  world w;
  auto& a = w.add("a");
  a.start();
  w.settle();
  a.wire.decide = [](const auto&) { return fate{.reaches_server = false}; };
  w.advance(10s - 1ms);
  EXPECT_EQ(a.stopped, 0);
  EXPECT_THAT(a.standing->trouble(),
              HasSubstr("no good answer from the API server within 5000 ms"));
  w.advance(1ms);
  EXPECT_EQ(a.stopped, 1);
}

TEST(elector, window_counts_from_sending_and_not_from_the_answer) {
  world w;
  auto& a = w.add("a");
  a.wire.decide = [](const auto& r) { return is_write(r) ? fate{.back = 3s} : fate{}; };
  a.start();
  w.advance(3s);
  ASSERT_TRUE(a.standing->leading());
  a.wire.decide = [](const auto&) { return fate{.reaches_server = false}; };
  w.advance(5s - 1ms);
  EXPECT_TRUE(a.open());
  w.advance(1ms);
  EXPECT_FALSE(a.open());
  w.advance(2s);  // and so does the renew deadline
  EXPECT_EQ(a.stopped, 1);
}

TEST(elector, candidates_do_not_ask_in_step) {
  world w;
  auto& a = w.add("a");
  w.server.put({"other", 3600, "t", "t", 0});
  a.start();
  w.advance(100s);
  // Every 2 s to 4.4 s.
  EXPECT_GE(w.server.log.size(), 100U * 10 / 44);
  EXPECT_LE(w.server.log.size(), 40U);
}

TEST(elector, a_foreign_write_costs_one_read) {
  world w;
  auto& a = w.add("a");
  a.start();
  w.settle();
  w.server.put(  // as kubectl annotate does: the same record, a new version
      parse_lease(*w.server.stored)->record);
  w.server.log.clear();
  w.advance(2s);
  EXPECT_EQ(w.server.log, (std::vector<std::string>{"PUT a 409", "GET  200", "PUT a 200"}));
  EXPECT_EQ(a.stopped, 0);
  EXPECT_THAT(metrics_of(a), HasSubstr("leader_election_slowpath_total{name=\"lease\"} 1"));
}

TEST(elector, steps_down_at_once_when_another_took_the_lease) {
  world w;
  auto& a = w.add("a");
  a.start();
  w.settle();
  w.server.put({"thief", 15, "t", "t", 9});
  w.advance(2s);
  EXPECT_EQ(a.stopped, 1);
  EXPECT_FALSE(a.open());
  EXPECT_EQ(a.standing->holder(), "thief");
}

TEST(elector, lost_answer_on_create_is_found_again) {
  world w;
  auto& a = w.add("a");
  bool first = true;
  a.wire.decide = [&](const auto& r) {
    const bool lose = is_write(r) && std::exchange(first, false);
    return fate{.answer_lost = lose};
  };
  a.start();
  w.settle();
  EXPECT_FALSE(a.standing->leading());
  EXPECT_FALSE(a.open());
  EXPECT_EQ(w.server.record().holder, "a");
  w.advance(10s);
  EXPECT_TRUE(a.standing->leading());
  EXPECT_EQ(a.started, 1);
  EXPECT_EQ(w.server.record().transitions, 0);
}

TEST(elector, a_suspended_process_writes_nothing_before_it_stepped_down) {
  world w;
  auto& a = w.add("a");
  auto& b = w.add("b", 2);
  a.start();
  w.settle();
  b.start();
  w.advance(1s);
  a.suspended = true;
  w.advance(40s);
  EXPECT_TRUE(b.standing->leading());
  EXPECT_FALSE(a.open());
  EXPECT_TRUE(a.standing->leading());  // it could not notice yet
  const auto before = w.server.log.size();
  a.suspended = false;
  w.settle();
  EXPECT_EQ(a.stopped, 1);
  EXPECT_EQ(w.server.record().holder, "b");
  for (auto i = before; i < w.server.log.size(); ++i)
    EXPECT_EQ(w.server.log[i], "GET  200");
}

TEST(elector, an_answer_that_slept_too_long_does_not_make_a_leader) {
  world w;
  auto& a = w.add("a");
  a.wire.decide = [](const auto& r) { return is_write(r) ? fate{.back = 1s} : fate{}; };
  a.start();
  w.advance(500ms);
  a.suspended = true;
  w.advance(30s);
  a.suspended = false;
  w.settle();
  EXPECT_EQ(a.started, 0);
  EXPECT_FALSE(a.open());
}

TEST(elector, missing_namespace_is_named_and_waited_for) {
  world w;
  w.server.namespace_exists = false;
  auto& a = w.add("a");
  a.start();
  w.advance(30s);
  EXPECT_EQ(a.started, 0);
  EXPECT_THAT(a.standing->trouble(), HasSubstr("kubectl create namespace ns"));
  w.server.namespace_exists = true;
  w.advance(5s);
  EXPECT_EQ(a.started, 1);
}

TEST(elector, release_lets_another_lead_at_once) {
  world w;
  auto& a = w.add("a");
  auto& b = w.add("b", 2);
  a.start();
  w.settle();
  b.start();
  w.advance(5s);
  a.stop.request_stop();
  w.settle();
  EXPECT_TRUE(a.ended);
  EXPECT_EQ(a.stopped, 1);
  EXPECT_FALSE(a.open());
  EXPECT_EQ(w.server.record().holder, "a");  // still ours until released
  b.suspended = true;
  a.release();
  w.settle();
  EXPECT_EQ(w.server.record().holder, "");
  EXPECT_EQ(w.server.record().duration_seconds, 1);
  b.suspended = false;
  w.settle();  // and no time passes: it watches
  EXPECT_TRUE(b.standing->leading());
  EXPECT_EQ(b.started, 1);
}

TEST(elector, release_survives_a_conflict_and_a_lost_answer) {
  world w;
  auto& a = w.add("a");
  a.start();
  w.settle();
  a.stop.request_stop();
  w.settle();
  int writes = 0;
  a.wire.decide = [&](const auto& r) {
    if (is_write(r) && writes++ == 0) {
      w.server.put(w.server.record());  // somebody annotates it between our read and our write
    }
    return fate{};
  };
  a.release();
  w.advance(1s);
  EXPECT_EQ(writes, 2);
  EXPECT_EQ(w.server.record().holder, "");
}

TEST(elector, release_leaves_a_lease_of_another_alone) {
  world w;
  auto& a = w.add("a");
  a.start();
  w.settle();
  a.stop.request_stop();
  w.settle();
  w.server.put({"other", 15, "t", "t", 1});
  w.server.log.clear();
  a.release();
  w.advance(10s);
  EXPECT_EQ(w.server.log, std::vector<std::string>{"GET  200"});
  EXPECT_EQ(w.server.record().holder, "other");
}

TEST(elector, release_gives_up_on_a_silent_server) {
  world w;
  auto& a = w.add("a");
  a.start();
  w.settle();
  a.stop.request_stop();
  w.settle();
  a.wire.decide = [](const auto&) { return fate{.reaches_server = false}; };
  a.release();
  w.advance(6s);
  EXPECT_FALSE(a.sleeping.next_due());  // nothing is left waiting
}

TEST(elector, release_without_a_lease_asks_nothing) {
  world w;
  w.server.put({"other", 15, "t", "t", 1});
  auto& a = w.add("a");
  a.start();
  w.advance(1s);
  a.stop.request_stop();
  w.settle();
  w.server.log.clear();
  a.release();
  w.settle();
  EXPECT_TRUE(w.server.log.empty());
}

// Whatever the network and the scheduler do: never two open windows, and no window open past what
// the server stored plus the lease duration.
void run_chaos(std::uint64_t seed) {
  world w;
  testing::seeded_random dice(seed);
  const auto roll = [&](std::uint64_t sides) { return dice.next() % sides; };
  for (const auto* name : {"a", "b", "c"}) {
    auto& one = w.add(name, dice.next());
    one.wire.decide = [&](const auto&) {
      fate f{.there = std::chrono::milliseconds(roll(300)),
             .back = std::chrono::milliseconds(roll(300))};
      const auto kind = roll(100);
      if (kind < 6) f.answer_lost = true;
      if (kind >= 6 && kind < 12) f.reaches_server = false;
      if (kind >= 12 && kind < 16) f.fail_status = roll(2) == 0 ? 500 : 429;
      if (kind >= 16 && kind < 22) f.there = std::chrono::seconds(roll(12));
      if (kind >= 22 && kind < 28) f.back = std::chrono::seconds(roll(12));
      return f;
    };
    one.start();
  }
  int led = 0;
  const auto check = [&] {
    int open = 0;
    for (auto& one : w.all)
      open += one->open() ? 1 : 0;
    ASSERT_LE(open, 1) << "seed " << seed << " at " << w.time.steady.time_since_epoch().count();
    led += open;
  };
  for (int round = 0; round < 60; ++round) {
    for (auto& one : w.all)
      one->suspended = roll(6) == 0;
    for (auto& one : w.all)
      one->wire.watches_are_silent = roll(3) == 0;
    w.advance(std::chrono::milliseconds(500 + roll(20'000)), check);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(led, 0) << "seed " << seed << ": nobody ever led, the schedule proves nothing";
}

TEST(elector, never_two_open_windows) {
  log_configure(log_level::error, log_format::text);
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    run_chaos(seed);
    if (HasFatalFailure()) break;
  }
  log_configure(log_level::info, log_format::text);
}

}  // namespace
}  // namespace oarlock::election
