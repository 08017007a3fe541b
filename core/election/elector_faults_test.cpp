// The fault catalogue of leadership (rows T1 to T4) in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/log.hpp"
#include "core/election/elector.hpp"
#include "core/election/lease_world.hpp"

namespace oarlock::election {
namespace {

using namespace std::chrono_literals;
using testing::candidate;
using testing::fate;
using testing::is_watch;
using testing::world;

bool is_any_write(const net::http_request& r) {
  return r.method != "GET";
}

class ElectorFaults : public ::testing::Test {
 protected:
  void SetUp() override { log_configure(log_level::error, log_format::text); }
  void TearDown() override { log_configure(log_level::info, log_format::text); }

  world w;
  candidate& a = w.add("a");
  candidate& b = w.add("b", 2);

  void start_both() {
    a.start();
    w.settle();
    b.start();
    w.advance(5s);
    ASSERT_TRUE(a.standing->leading());
  }
  /// Lets time pass and holds that windows never overlap. Returns how often one was open.
  int advance(duration how_long) {
    int open = 0;
    w.advance(how_long, [&] {
      EXPECT_FALSE(a.open() && b.open());
      open += (a.open() || b.open()) ? 1 : 0;
    });
    return open;
  }
};

// ---------------------------------------------------------------- T1: clocks

TEST_F(ElectorFaults, T1_steps_of_the_wall_clock_change_nothing) {
  start_both();
  constexpr auto year = 8766h;
  for (const auto step : {1h, -1h, 10 * year, -10 * year}) {
    for (auto* one : {&a, &b}) {
      one->time.wall_offset = step;
      advance(20s);
      one->time.wall_offset = 0h;
      advance(20s);
    }
    a.time.wall_offset = step;
    b.time.wall_offset = -step;
    advance(20s);
  }
  EXPECT_EQ(a.started, 1);
  EXPECT_EQ(a.stopped, 0);
  EXPECT_EQ(b.started, 0);
  a.wire.decide = [](const auto&) { return fate{.reaches_server = false}; };
  advance(16s);
  EXPECT_TRUE(b.standing->leading()) << "a wrong clock does not lengthen the term either";
}

TEST_F(ElectorFaults, T1_clocks_that_all_run_slow_or_fast_only_scale_the_times) {
  for (const auto& [num, den] : {std::pair{1, 2}, std::pair{2, 1}}) {
    world scaled;
    auto& one = scaled.add("one");
    auto& two = scaled.add("two", 2);
    for (auto* each : {&one, &two}) {
      each->time.pace_num = num;
      each->time.pace_den = den;
    }
    one.start();
    scaled.settle();
    two.start();
    scaled.advance(120s);
    EXPECT_EQ(one.started, 1);
    EXPECT_EQ(two.started, 0);
    one.wire.decide = [](const auto&) { return fate{.reaches_server = false}; };
    scaled.advance(16s * den / num, [&] { ASSERT_FALSE(one.open() && two.open()); });
    EXPECT_TRUE(two.standing->leading());
    EXPECT_FALSE(one.standing->leading());
  }
}

TEST_F(ElectorFaults, T1_a_standby_whose_clock_runs_twice_as_fast_waits_while_it_hears_renewals) {
  b.time.pace_num = 2;
  start_both();
  advance(120s);
  EXPECT_EQ(b.started, 0);
}

// The lease (15 s) is 1.875 times the window (8 s): clocks whose paces differ by less than that
// never let two write, whatever fails. core/election/README.md says so.
TEST_F(ElectorFaults, T1_windows_stay_apart_at_one_and_three_quarters_of_the_pace) {
  b.time.pace_num = 7;
  b.time.pace_den = 4;
  start_both();
  for (int round = 0; round < 20; ++round) {
    auto& leader = a.standing->leading() ? a : b;
    leader.wire.decide = [](const auto&) { return fate{.reaches_server = false}; };
    EXPECT_GT(advance(20s), 0);
    leader.wire.decide = [](const auto&) { return fate{}; };
    advance(20s);
  }
  EXPECT_GT(b.started, 3);
  EXPECT_GT(a.started, 3);
}

// ---------------------------------------------------------------- T2: suspension

TEST_F(ElectorFaults, T2_a_write_that_waited_through_a_suspension_is_refused) {
  start_both();
  for (const auto pause : {9s, 14s, 40s}) {
    ASSERT_TRUE(a.standing->leading() || b.standing->leading());
    auto& leader = a.standing->leading() ? a : b;
    leader.suspended = true;
    advance(pause);
    // What a lane would ask on waking, before the loop has run anything.
    EXPECT_FALSE(leader.open()) << pause.count();
    leader.suspended = false;
    advance(20s);
  }
}

TEST_F(ElectorFaults, T2_suspended_for_less_than_the_window_nothing_happens) {
  start_both();
  a.suspended = true;
  advance(5s);
  EXPECT_TRUE(a.open());
  a.suspended = false;
  advance(20s);
  EXPECT_EQ(a.stopped, 0);
  EXPECT_EQ(b.started, 0);
}

// ---------------------------------------------------------------- T3: renewals that fail

TEST_F(ElectorFaults, T3_refused_renewals_close_the_window_in_time) {
  for (const int status : {409, 429, 500, 503}) {
    world one;
    auto& leader = one.add("a");
    leader.start();
    one.settle();
    leader.wire.decide = [status](const auto& r) {
      return fate{.fail_status = is_any_write(r) ? status : 0};
    };
    one.advance(8s - 1ms);
    EXPECT_TRUE(leader.open()) << status;
    one.advance(1ms);
    EXPECT_FALSE(leader.open()) << status;
    EXPECT_EQ(leader.stopped, 0) << status;
    one.advance(2s);
    EXPECT_EQ(leader.stopped, 1) << status;
    leader.wire.decide = [](const auto&) { return fate{}; };
    one.advance(20s);
    EXPECT_EQ(leader.started, 2) << status << ": it stands again";
    EXPECT_TRUE(leader.open());
  }
}

TEST_F(ElectorFaults, T3_renewals_that_were_applied_and_whose_replies_are_lost_do_not_extend_it) {
  start_both();
  a.wire.decide = [](const auto& r) { return fate{.answer_lost = is_any_write(r)}; };
  const auto from = w.time.steady;
  advance(10s);
  EXPECT_FALSE(a.open());
  EXPECT_EQ(a.stopped, 1);
  // The last of them began a new term for everybody else.
  EXPECT_EQ(b.started, 0);
  a.suspended = true;
  advance(from + 30s - w.time.steady);
  EXPECT_EQ(b.started, 1);
}

// A proxy's page, answered as 200.
TEST_F(ElectorFaults, T3_an_answer_that_is_no_lease_extends_nothing) {
  start_both();
  ASSERT_TRUE(a.standing->renewed_at());
  a.wire.decide = [](const auto& r) {
    return is_any_write(r) ? fate{.fail_status = 200} : fate{.reaches_server = false};
  };
  advance(20s);
  EXPECT_FALSE(a.standing->leading());
  EXPECT_FALSE(a.standing->renewed_at());
  EXPECT_TRUE(b.standing->leading());
  a.wire.decide = [](const auto& r) { return is_watch(r) ? fate{} : fate{.fail_status = 200}; };
  b.wire.decide = [](const auto&) { return fate{.reaches_server = false}; };
  advance(60s);
  EXPECT_FALSE(a.standing->leading());
  EXPECT_NE(a.standing->trouble().find("Lease"), std::string::npos) << a.standing->trouble();
  a.wire.decide = [](const auto&) { return fate{}; };
  advance(20s);
  EXPECT_TRUE(a.standing->leading());
}

TEST_F(ElectorFaults, T3_a_renewal_whose_reply_is_lost_once_goes_on_without_a_gap) {
  start_both();
  bool lost = false;
  a.wire.decide = [&](const auto& r) {
    return fate{.answer_lost = is_any_write(r) && !std::exchange(lost, true)};
  };
  w.advance(60s, [&] { EXPECT_TRUE(a.open()); });
  EXPECT_TRUE(lost);
  EXPECT_EQ(a.started, 1);
  EXPECT_EQ(a.stopped, 0);
  EXPECT_EQ(b.started, 0);
}

TEST_F(ElectorFaults, T3_a_lease_that_is_lost_during_a_write_lets_no_other_write_start) {
  start_both();
  w.server.put({"thief", 15, "t", "t", 9});
  advance(2s);  // the next renewal finds out
  EXPECT_FALSE(a.open());
  EXPECT_EQ(a.stopped, 1);
  EXPECT_FALSE(a.window_open_at_stop);
}

TEST_F(ElectorFaults, T3_a_deleted_lease_is_made_again_by_its_holder) {
  start_both();
  b.wire.tell("DELETED");
  w.server.stored.reset();
  w.advance(60s, [&] { EXPECT_TRUE(a.open()); });
  EXPECT_EQ(a.stopped, 0);
  EXPECT_EQ(b.started, 0);
  EXPECT_EQ(w.server.record().holder, "a");
}

TEST_F(ElectorFaults, T3_a_deleted_lease_makes_no_second_leader_while_the_holder_is_silent) {
  start_both();
  w.server.stored.reset();
  a.suspended = true;
  advance(60s);
  EXPECT_EQ(b.started, 1);
  a.suspended = false;
  advance(20s);
  EXPECT_EQ(a.stopped, 1);
}

TEST_F(ElectorFaults, T3_the_same_identity_twice_is_two_candidates) {
  auto& twin = w.add("a", 3);
  a.start();
  w.settle();
  twin.start();
  const auto apart = [&] { EXPECT_FALSE(a.open() && twin.open()); };
  w.advance(60s, apart);
  EXPECT_EQ(a.stopped, 0);
  EXPECT_EQ(twin.started, 0);
  a.suspended = true;
  w.advance(30s, apart);
  EXPECT_TRUE(twin.standing->leading());
  a.suspended = false;
  w.advance(60s, apart);
  EXPECT_EQ(a.stopped, 1);
  EXPECT_EQ(a.started, 1);
  EXPECT_TRUE(twin.standing->leading());
  // And it gives up only what is its own.
  a.stop.request_stop();
  w.settle();
  a.release();
  w.advance(5s, apart);
  EXPECT_EQ(w.server.record().holder, "a");
  EXPECT_EQ(twin.stopped, 0);
}

// ---------------------------------------------------------------- T4: slow to die

TEST_F(ElectorFaults, T4_a_renewal_that_arrives_after_the_take_over_is_refused) {
  start_both();
  a.wire.decide = [](const auto& r) { return is_any_write(r) ? fate{.there = 25s} : fate{}; };
  advance(17s);
  EXPECT_TRUE(b.standing->leading());
  advance(30s);
  EXPECT_TRUE(b.standing->leading());
  EXPECT_EQ(b.stopped, 0);
  EXPECT_EQ(w.server.record().holder, "b");
}

TEST_F(ElectorFaults, T4_the_old_leader_releases_late_and_only_its_own_lease) {
  start_both();
  a.suspended = true;
  advance(20s);
  ASSERT_TRUE(b.standing->leading());
  a.stop.request_stop();
  a.suspended = false;
  w.settle();
  EXPECT_EQ(a.stopped, 1);
  a.release();
  advance(10s);
  EXPECT_EQ(w.server.record().holder, "b");
  EXPECT_EQ(b.stopped, 0);
}

}  // namespace
}  // namespace oarlock::election
