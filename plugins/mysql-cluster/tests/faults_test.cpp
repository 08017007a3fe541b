// The failure cases, in a model of servers, each with the operator killed before and after every
// single step it takes. What must never be is checked at each second (model.cpp).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/mysql-cluster/tests/every_death.hpp"

namespace mysql_cluster::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A former primary with writes that it alone has: it neither serves nor acknowledges. With a new
/// volume it is a replica again.
void expect_quarantine_and_renew(model& m, int old) {
  m.run(12);
  EXPECT_NE(m.primary(), old);
  EXPECT_THAT(m.known.quarantined, ElementsAre("db-" + std::to_string(old)));
  EXPECT_FALSE(m.at(old).receiver_on);
  m.lose_volume(old);
  m.settle();
}

TEST(mysql_faults, a_new_cluster_becomes_whole) {
  for (const int size : {1, 2, 3, 5})
    with_every_death(size, [](model& m) { m.settle(); });
}

TEST(mysql_faults, F1_the_primary_is_killed) {
  for (const int size : {2, 3, 5}) {
    with_every_death(size, [](model& m) {
      m.settle();
      m.restarts_by_itself = false;
      const int old = m.primary();
      m.crash(old);
      m.run(10);
      EXPECT_NE(m.primary(), old);
      EXPECT_EQ(m.known.failovers, 1);
      m.restart(old);
      m.settle();
      EXPECT_FALSE(m.known.failover_since_unix_ms);
      EXPECT_LE(m.known.last_failover_s, 20) << "of two members, the new one waits for the old";
    });
  }
}

TEST(mysql_faults, a_restart_in_place_wins_within_the_delay) {
  with_every_death(3, [](model& m) {
    m.settle();
    m.wanted.failover_delay_ms = 10'000;
    const int before = m.primary();
    m.crash(before);
    m.settle();
    EXPECT_EQ(m.primary(), before);
  });
}

TEST(mysql_faults, F4_a_frozen_primary_goes_on_after_the_failover) {
  with_every_death(3, [](model& m) {
    m.settle();
    const int old = m.primary();
    m.at(old).is_frozen = true;
    m.run(20);
    m.at(old).is_frozen = false;
    expect_quarantine_and_renew(m, old);
  });
}

TEST(mysql_faults, F5_the_primary_is_cut_off_from_its_replicas) {
  with_every_death(3, [](model& m) {
    m.settle();
    const int old = m.primary();
    for (int i = 0; i < 3; ++i) {
      if (i != old) m.cut(old, i);
    }
    m.run(40);
    EXPECT_NE(m.primary(), old);
    m.heal();
    expect_quarantine_and_renew(m, old);
  });
}

TEST(mysql_faults, what_no_client_was_told_can_be_discarded) {
  with_every_death(3, [](model& m) {
    m.wanted.discards_unacknowledged = true;
    m.settle();
    const int old = m.primary();
    m.at(old).is_frozen = true;
    m.run(20);
    m.at(old).is_frozen = false;
    m.settle();
    EXPECT_NE(m.primary(), old);
    EXPECT_EQ(m.at(old).clone, clone_state::done);
  });
}

TEST(mysql_faults, F6_a_primary_that_only_the_operator_cannot_reach_stays) {
  with_every_death(3, [](model& m) {
    m.settle();
    const int old = m.primary();
    m.hide_from_operator(old);
    m.run(40);
    EXPECT_EQ(m.primary(), old);
    EXPECT_THAT(m.last().message, HasSubstr("still hear it"));
    m.heal();
    m.settle();
    EXPECT_EQ(m.known.epoch, 1);
  });
}

TEST(mysql_faults, F7_without_a_quorum_nobody_is_promoted_until_one_returns) {
  with_every_death(3, [](model& m) {
    m.settle();
    m.restarts_by_itself = false;
    const int old = m.primary();
    m.crash(old);
    m.crash((old + 1) % 3);
    m.run(30);
    EXPECT_EQ(m.primary(), old);
    EXPECT_EQ(m.last().reason, "QuorumLost");
    m.restart((old + 1) % 3);
    m.run(20);
    EXPECT_NE(m.primary(), old);
    m.restart(old);
    m.settle();
  });
}

TEST(mysql_faults, F8_two_failovers_in_a_row) {
  with_every_death(3, [](model& m) {
    m.settle();
    m.crash(m.primary());
    m.settle();
    m.crash(m.primary());
    m.settle();
    EXPECT_GE(m.known.epoch, 3);
  });
}

TEST(mysql_faults, F9_the_primary_returns_in_the_middle_of_a_failover) {
  for (int ticks = 0; ticks < 8; ++ticks) {
    with_every_death(3, [ticks](model& m) {
      m.settle();
      m.restarts_by_itself = false;
      const int old = m.primary();
      m.crash(old);
      m.run(ticks);
      m.restart(old);
      m.restarts_by_itself = true;
      m.settle();
    });
  }
}

TEST(mysql_faults, F10_a_hung_commit_undoes_a_switchover) {
  with_every_death(3, [](model& m) {
    m.settle();
    const int old = m.primary();
    m.at(old).close_hangs = true;
    m.wanted.switchover = "db-" + std::to_string((old + 1) % 3) + "@1";
    m.run(10);
    m.at(old).close_hangs = false;
    m.settle();
  });
}

TEST(mysql_faults, F12_the_best_replica_executes_its_relay_log_first) {
  with_every_death(3, [](model& m) {
    m.settle();
    for (int i = 0; i < 3; ++i)
      m.at(i).is_applier_slow = true;
    m.run(20);
    m.restarts_by_itself = false;
    const int old = m.primary();
    m.crash(old);
    m.run(10);
    EXPECT_NE(m.primary(), old);
    for (int i = 0; i < 3; ++i)
      m.at(i).is_applier_slow = false;
    m.restart(old);
    m.settle();
  });
}

TEST(mysql_faults, F13_a_stopped_applier_blocks_the_failover) {
  with_every_death(2, [](model& m) {
    m.settle();
    const int old = m.primary();
    m.restarts_by_itself = false;
    m.at(1 - old).applier_error = "duplicate key";
    m.run(3);
    m.crash(old);
    m.run(20);
    EXPECT_EQ(m.primary(), old);
    EXPECT_EQ(m.last().reason, "ApplierStopped");
    m.at(1 - old).applier_error.clear();
    m.run(5);
    m.restart(old);
    m.settle();
  });
}

TEST(mysql_faults, F14_incomparable_replicas_block_the_failover) {
  model m(3);
  m.settle();
  m.restarts_by_itself = false;
  const int old = m.primary();
  m.crash(old);
  m.errant_write((old + 1) % 3);
  m.errant_write((old + 2) % 3);
  m.run(30);
  EXPECT_EQ(m.primary(), old);
  EXPECT_EQ(m.last().reason, "Incomparable");
}

TEST(mysql_faults, F15_an_errant_write_is_quarantined_and_never_spreads) {
  with_every_death(3, [](model& m) {
    m.settle();
    const int bad = (m.primary() + 1) % 3;
    m.errant_write(bad);
    m.run(5);
    EXPECT_EQ(m.at(bad).role, "");
    ASSERT_EQ(m.known.quarantined.size(), 1U);
    m.crash(m.primary());
    m.run(10);
    // The other replica alone is no quorum: the primary is waited for.
    EXPECT_NE(m.primary(), bad);
    m.lose_volume(bad);
    m.settle();
  });
}

TEST(mysql_faults, F16_a_replica_that_needs_purged_logs_is_cloned) {
  with_every_death(3, [](model& m) {
    m.settle();
    const int behind = (m.primary() + 1) % 3;
    m.restarts_by_itself = false;
    m.crash(behind);
    m.run(10);
    for (int i = 0; i < 3; ++i) {
      if (i != behind) m.at(i).purged = m.at(i).executed;
    }
    m.run(2);
    m.restarts_by_itself = true;
    m.settle();
    EXPECT_EQ(m.at(behind).clone, clone_state::done);
  });
}

TEST(mysql_faults, F17_the_donor_of_a_clone_is_killed) {
  for (int ticks = 0; ticks < 5; ++ticks) {
    with_every_death(3, [ticks](model& m) {
      m.settle();
      const int behind = (m.primary() + 1) % 3;
      m.lose_volume(behind);
      m.run(5 + ticks);
      m.crash((m.primary() + 2) % 3);
      m.settle();
    });
  }
}

TEST(mysql_faults, F18_the_recipient_of_a_clone_is_killed) {
  for (int ticks = 0; ticks < 5; ++ticks) {
    with_every_death(3, [ticks](model& m) {
      m.settle();
      const int behind = (m.primary() + 1) % 3;
      m.lose_volume(behind);
      m.run(5 + ticks);
      m.crash(behind);
      m.settle();
    });
  }
}

TEST(mysql_faults, F20_the_volume_of_the_primary_is_lost) {
  with_every_death(3, [](model& m) {
    m.settle();
    const int old = m.primary();
    m.wanted.failover_delay_ms = 60'000;  // it is back before that, and empty
    m.lose_volume(old);
    m.settle();
    EXPECT_NE(m.primary(), old);
  });
}

TEST(mysql_faults, F21_all_are_killed_at_once) {
  for (const int size : {1, 3, 5}) {
    with_every_death(size, [size](model& m) {
      m.settle();
      for (int i = 0; i < size; ++i)
        m.crash(i);
      m.settle();
    });
  }
}

TEST(mysql_faults, F26_a_template_that_does_not_start_is_taken_back) {
  with_every_death(3, [](model& m) {
    m.settle();
    ++m.template_generation;
    m.run(4);
    ++m.template_generation;
    m.settle();
  });
}

TEST(mysql_faults, a_new_template_reaches_all_members_and_the_primary_last) {
  for (const int size : {1, 2, 3, 5}) {
    with_every_death(size, [](model& m) {
      m.settle();
      ++m.template_generation;
      m.settle();
    });
  }
}

TEST(mysql_faults, F27_the_last_member_is_the_primary_and_leaves) {
  with_every_death(3, [](model& m) {
    m.settle();
    m.wanted.switchover = "db-2@1";
    m.settle();
    if (m.known.switchover_done != "db-2@1") m.settle();
    m.wanted.size = 1;
    m.settle();
    EXPECT_EQ(m.primary(), 0);
  });
}

TEST(mysql_faults, F28_members_come_back_with_the_volumes_they_left) {
  with_every_death(3, [](model& m) {
    m.settle();
    m.wanted.size = 1;
    m.settle();
    m.run(10);
    m.wanted.size = 3;
    m.settle();
  });
}

TEST(mysql_faults, F29_a_cluster_of_one_grows_though_its_logs_are_purged) {
  with_every_death(1, [](model& m) {
    m.settle();
    m.run(5);
    m.at(0).purged = m.at(0).executed;
    m.wanted.size = 3;
    m.settle();
  });
}

TEST(mysql_faults, it_grows_and_shrinks_under_writes) {
  with_every_death(1, [](model& m) {
    for (const int size : {1, 3, 5, 3, 2, 1}) {
      m.wanted.size = size;
      m.settle();
    }
  });
}

TEST(mysql_faults, a_switchover_is_carried_out_once) {
  with_every_death(3, [](model& m) {
    m.settle();
    const std::string to = "db-" + std::to_string((m.primary() + 1) % 3);
    m.wanted.switchover = to + "@a";
    m.settle();
    m.run(5);
    EXPECT_EQ(m.known.primary, to);
    EXPECT_EQ(m.known.switchover_done, to + "@a");
    const auto epoch = m.known.epoch;
    m.run(10);
    EXPECT_EQ(m.known.epoch, epoch);
    EXPECT_EQ(m.known.switchovers, 1);
    EXPECT_EQ(m.known.failovers, 0);
  });
}

TEST(mysql_faults, more_and_fewer_acknowledgements_are_asked_for) {
  for (const int size : {3, 5}) {
    with_every_death(size, [size](model& m) {
      m.settle();
      m.wanted.acknowledgements = size - 1;
      m.settle();
      EXPECT_EQ(m.at(m.primary()).waits_for, size - 1);
      m.crash(m.primary());
      m.settle();
      m.wanted.acknowledgements = 1;
      m.settle();
      m.run(3);  // on record first, then on the server
      EXPECT_EQ(m.at(m.primary()).waits_for, 1);
    });
  }
}

// With all replicas in each write, any one of them has everything.
TEST(mysql_faults, with_all_acknowledgements_one_replica_suffices) {
  with_every_death(3, [](model& m) {
    m.wanted.acknowledgements = 2;
    m.settle();
    m.restarts_by_itself = false;
    const int old = m.primary();
    m.crash(old);
    m.crash((old + 1) % 3);
    m.run(10);
    EXPECT_EQ(m.primary(), (old + 2) % 3);
    m.restart(old);
    m.restart((old + 1) % 3);
    m.settle();
  });
}

TEST(mysql_faults, F38_the_clock_steps) {
  for (const std::int64_t step_ms : {3'600'000, -3'600'000}) {
    with_every_death(3, [step_ms](model& m) {
      m.settle();
      m.wanted.failover_delay_ms = 10'000;
      m.restarts_by_itself = false;
      const int old = m.primary();
      m.crash(old);
      m.run(3);
      if (m.known.lost_since_unix_ms) *m.known.lost_since_unix_ms -= step_ms;
      m.run(20);
      EXPECT_NE(m.primary(), old);
      m.restart(old);
      m.settle();
    });
  }
}

TEST(mysql_faults, F40_an_empty_new_cluster_loses_its_primary) {
  with_every_death(3, [](model& m) {
    m.clients_write = false;
    m.settle();
    m.crash(m.primary());
    m.settle();
  });
}

TEST(mysql_faults, F42_a_replica_that_somebody_opened_is_stopped) {
  with_every_death(3, [](model& m) {
    m.settle();
    m.clients_write = false;
    m.at((m.primary() + 1) % 3).writable = true;
    if (!m.operate()) {
      m.steps_left = -1;
      m.operate();
    }
    m.clients_write = true;
    m.settle();
  });
}

TEST(mysql_faults, manual_failover_waits_for_a_person) {
  model m(3);
  m.settle();
  m.wanted.automatic_failover = false;
  m.restarts_by_itself = false;
  const int old = m.primary();
  m.crash(old);
  m.run(30);
  EXPECT_EQ(m.primary(), old);
  EXPECT_EQ(m.last().reason, "ManualFailover");
}

void expect_backup_everywhere(model& m) {
  for (int i = 0; i < m.wanted.size; ++i)
    EXPECT_TRUE(m.at(i).executed.contains(m.backup_set)) << i;
}

TEST(mysql_faults, a_cluster_begins_with_a_backup) {
  for (const int size : {1, 2, 3, 5}) {
    with_every_death(
        size,
        [](model& m) {
          m.settle();
          expect_backup_everywhere(m);
          EXPECT_EQ(m.primary(), 0);
          EXPECT_EQ(m.known.epoch, 1) << "it is not given away only to be rid of the backup";
        },
        "b");
  }
}

TEST(mysql_faults, F31_a_backup_that_cannot_be_loaded_blocks_until_it_can) {
  with_every_death(
      3,
      [](model& m) {
        m.backup_faults["b"] = "BackupTruncated";
        m.run(20);
        EXPECT_EQ(m.last().now, phase::blocked);
        EXPECT_EQ(m.last().reason, "BackupTruncated");
        EXPECT_EQ(m.servers_ever(), 1);
        EXPECT_TRUE(m.at(0).uuid.empty()) << "nothing was made";
        m.backup_faults.clear();
        m.settle();
        expect_backup_everywhere(m);
      },
      "b");
}

TEST(mysql_faults, F31_another_backup_can_be_named_while_there_is_no_primary) {
  with_every_death(
      3,
      [](model& m) {
        m.backup_faults["b"] = "BackupMissing";
        m.run(10);
        m.wanted.backup = "c";
        m.settle();
        EXPECT_EQ(m.at(0).made_of, "c");
        expect_backup_everywhere(m);
      },
      "b");
}

TEST(mysql_faults, F33_a_volume_with_data_is_not_restored_into) {
  with_every_death(
      3,
      [](model& m) {
        const auto others = gtid_set::parse("00000000-0000-0000-0000-888888888880:1-3");
        m.leave_volume(0, others);
        m.run(20);
        EXPECT_EQ(m.last().reason, "VolumeInUse");
        EXPECT_EQ(m.at(0).executed, others);
        EXPECT_TRUE(m.known.primary.empty());
        m.lose_volume(0);
        m.settle();
        expect_backup_everywhere(m);
      },
      "b");
}

TEST(mysql_faults, a_restore_is_interrupted_anywhere) {
  for (int ticks = 1; ticks < 12; ++ticks) {
    with_every_death(
        3,
        [ticks](model& m) {
          m.run(ticks);
          if (m.servers_ever() > 0 && m.at(0).exists) {
            m.crash(0);
            m.at(0).load_ticks_left = 3;
          }
          m.settle();
          expect_backup_everywhere(m);
        },
        "b");
  }
}

// Its own transactions, not those of the backup: with the volume goes what nobody else has.
TEST(mysql_faults, a_backup_that_is_lost_again_is_told) {
  with_every_death(
      1,
      [](model& m) {
        while (!m.known.restored)
          m.run(1);
        m.lose_volume(0);
        m.at(0).initialising = false;
        m.restart(0);
        m.run(10);
        EXPECT_TRUE(m.known.primary.empty());
        EXPECT_EQ(m.last().reason, "RestoreLost");
        EXPECT_FALSE(m.at(0).writable);
      },
      "b");
}

// It has all that is in the backup, and more: a restore is asked for to be rid of that.
TEST(mysql_faults, a_volume_of_the_former_cluster_does_not_win_over_the_backup) {
  with_every_death(
      3,
      [](model& m) {
        auto more = m.backup_set;
        more.add(gtid_set::parse("00000000-0000-0000-0000-999999999999:8-9"));
        m.leave_volume(1, more);
        m.run(40);
        EXPECT_EQ(m.primary(), 0);
        EXPECT_THAT(m.known.quarantined, ElementsAre("db-1"));
        EXPECT_EQ(m.at(1).executed, more);
        m.lose_volume(1);
        m.settle();
        expect_backup_everywhere(m);
      },
      "b");
}

/// Numbers of a seed.
class chance {
 public:
  explicit chance(std::uint32_t seed) : state_(seed * 2654435761U + 1) {}
  int below(int limit) {
    state_ = state_ * 1664525U + 1013904223U;
    return static_cast<int>((state_ >> 8U) % static_cast<std::uint32_t>(limit));
  }

 private:
  std::uint32_t state_;
};

void do_harm(model& m, chance& any) {
  const int size = std::min(m.known.replicas + 1, m.servers_ever());
  const int one = any.below(size);
  switch (any.below(13)) {
    case 0:
      return m.crash(one);
    case 1:
      return m.crash(std::max(0, m.primary()));
    case 2:
      m.at(one).is_frozen = m.at(one).is_up;
      return;
    case 3:
      return m.cut(one, any.below(size));
    case 4:
      return m.hide_from_operator(one);
    case 5:
      m.at(one).is_applier_slow = true;
      return;
    case 6:
      m.wanted.switchover = "db-" + std::to_string(one) + "@" + std::to_string(any.below(1000));
      return;
    case 7: {
      static constexpr int sizes[] = {1, 2, 3, 5};
      m.wanted.size = sizes[any.below(4)];
      return;
    }
    case 8:
      ++m.template_generation;
      return;
    case 9:
      m.wanted.acknowledgements = any.below(4);
      return;
    case 10:
      m.steps_left = any.below(6);
      m.dies_after_step = any.below(2) == 0;
      return;
    case 11:
      m.wanted.passwords = std::to_string(any.below(1000));
      return;
    default:
      for (int i = 0; i < size; ++i)
        m.at(i).is_applier_slow = false;
      return m.heal();
  }
}

// Any faults at any time; afterwards all is mended, and it has to become whole by itself.
void run_swarm(std::uint32_t seed) {
  chance any(seed);
  model m(1 + any.below(3));
  if (m.wanted.size == 2 && any.below(2) == 0) m.wanted.size = 5;
  m.wanted.discards_unacknowledged = true;
  m.settle();
  for (int i = 0; i < 120; ++i) {
    if (any.below(4) == 0) do_harm(m, any);
    m.run(1 + any.below(3));
    // A machine that hangs is found within a minute.
    if (any.below(20) == 0) m.thaw();
  }
  m.heal();
  m.thaw();
  m.run(60);
  m.settle(400);
}

TEST(mysql_faults, any_faults_at_any_time) {
  for (std::uint32_t seed = 1; seed <= 400; ++seed) {
    try {
      run_swarm(seed);
    } catch (const broken& e) {
      FAIL() << "seed " << seed << ": " << e.what();
    }
  }
}

// The checker itself: a history in which a write is lost must fail.
TEST(mysql_model, tells_a_lost_write) {
  model m(3);
  m.settle();
  m.acknowledged.add(gtid_set::parse("00000000-0000-0000-0000-000000000009:1"));
  EXPECT_THROW(m.check_history(), broken);
}

TEST(mysql_model, tells_two_servers_that_can_acknowledge) {
  model m(3);
  m.settle();
  server& other = m.at((m.primary() + 1) % 3);
  other.writable = true;
  EXPECT_THROW(m.tick(), broken);
}

TEST(mysql_model, tells_writes_without_acknowledgements) {
  model m(3);
  m.settle();
  m.at(m.primary()).source_on = false;
  EXPECT_THROW(m.tick(), broken);
}

}  // namespace
}  // namespace mysql_cluster::testing
