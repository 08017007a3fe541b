// New passwords in the model, whatever goes wrong meanwhile and whoever dies. That nobody is
// refused is checked at each second (model.cpp).
#include <gmock/gmock.h>

#include "plugins/mysql-cluster/tests/every_death.hpp"

namespace mysql_cluster::testing {
namespace {

using ::testing::IsEmpty;

/// The change is over, on all servers.
void expect_changed(const model& m, int password) {
  EXPECT_EQ(m.secret.present, password);
  EXPECT_EQ(m.secret.next, 0);
  EXPECT_EQ(m.secret.old, 0);
  for (int i = 0; i <= m.known.replicas; ++i)
    EXPECT_EQ(m.accepted(i), (passwords{password, 0})) << m.describe();
  EXPECT_FALSE(m.known.passwords_published_unix_ms);
  EXPECT_THAT(m.known.passwords_told, IsEmpty());
}

TEST(mysql_passwords, change_while_everybody_works_on) {
  for (const int size : {1, 2, 3}) {
    with_every_death(size, [](model& m) {
      m.settle();
      m.wanted.passwords = "1";
      m.settle();
      expect_changed(m, 2);
      EXPECT_EQ(m.known.password_changes, 1);
      m.run(30);
      expect_changed(m, 2);
      m.wanted.passwords = "2";
      m.settle();
      expect_changed(m, 3);
    });
  }
}

TEST(mysql_passwords, F34_a_change_is_interrupted_by_a_failover_at_any_time) {
  for (int ticks = 0; ticks < 40; ticks += ticks < 8 ? 1 : 6) {
    with_every_death(3, [ticks](model& m) {
      m.wanted.discards_unacknowledged = true;
      m.settle();
      m.wanted.passwords = "1";
      m.run(ticks);
      const int old = m.primary();
      m.restarts_by_itself = false;
      m.crash(old);
      m.run(10);
      EXPECT_NE(m.primary(), old);
      m.restart(old);
      m.restarts_by_itself = true;
      m.settle();
      expect_changed(m, 2);
    });
  }
}

TEST(mysql_passwords, F34_a_frozen_primary_comes_back_with_the_old_ones) {
  for (int ticks = 0; ticks < 8; ++ticks) {
    with_every_death(3, [ticks](model& m) {
      m.wanted.discards_unacknowledged = true;
      m.settle();
      m.wanted.passwords = "1";
      m.run(ticks);
      const int old = m.primary();
      m.at(old).is_frozen = true;
      m.run(30);
      EXPECT_NE(m.primary(), old);
      EXPECT_TRUE(m.accepted(m.primary()).accept(1)) << "it is waited for";
      m.at(old).is_frozen = false;
      m.settle();
      expect_changed(m, 2);
    });
  }
}

TEST(mysql_passwords, a_member_that_is_away_is_not_left_behind) {
  for (int ticks = 0; ticks < 8; ++ticks) {
    with_every_death(3, [ticks](model& m) {
      m.settle();
      m.wanted.passwords = "1";
      m.run(ticks);
      m.restarts_by_itself = false;
      const int away = (m.primary() + 1) % 3;
      m.crash(away);
      m.run(60);
      EXPECT_TRUE(m.accepted(m.primary()).accept(1)) << "who knows the old one only is let in";
      m.restart(away);
      m.settle();
      expect_changed(m, 2);
    });
  }
}

TEST(mysql_passwords, a_member_with_a_new_volume_is_reached_and_gets_them) {
  for (int ticks = 0; ticks < 30; ticks += ticks < 8 ? 1 : 6) {
    with_every_death(3, [ticks](model& m) {
      m.settle();
      m.wanted.passwords = "1";
      m.run(ticks);
      m.lose_volume((m.primary() + 1) % 3);
      m.settle();
      expect_changed(m, 2);
    });
  }
}

TEST(mysql_passwords, a_volume_that_was_away_comes_back_with_older_ones) {
  with_every_death(3, [](model& m) {
    m.settle();
    m.wanted.size = 1;
    m.settle();
    m.wanted.passwords = "1";
    m.settle();
    m.wanted.passwords = "2";
    m.settle();
    m.wanted.size = 3;
    m.settle();
    expect_changed(m, 3);
  });
}

TEST(mysql_passwords, another_request_waits_for_the_first) {
  with_every_death(3, [](model& m) {
    m.settle();
    m.wanted.passwords = "1";
    m.run(5);
    m.wanted.passwords = "2";
    m.settle();
    expect_changed(m, 3);
  });
}

TEST(mysql_passwords, are_not_drawn_before_all_is_whole) {
  model m(3);
  m.wanted.passwords = "1";
  m.run(2);
  EXPECT_EQ(m.secret.next, 0);
  m.settle();
  m.restarts_by_itself = false;
  m.crash((m.primary() + 1) % 3);
  m.wanted.passwords = "2";
  m.run(10);
  EXPECT_EQ(m.secret.next, 0);
  ASSERT_FALSE(m.last().findings.empty());
  EXPECT_EQ(m.last().findings.front().reason, "WaitingForCluster");
}

TEST(mysql_passwords, a_replica_that_is_denied_is_told_the_present_one) {
  model m(3);
  m.settle();
  const int one = (m.primary() + 1) % 3;
  m.at(one).receiver_password = 9;
  ASSERT_TRUE(m.operate());
  EXPECT_EQ(m.at(one).receiver_password, 1);
}

}  // namespace
}  // namespace mysql_cluster::testing
