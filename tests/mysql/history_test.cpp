// The checker itself: a history that is right, and for each invariant ones that are not.
#include "tests/mysql/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mysql_cluster::testing {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const std::string uuid_a = "aaaaaaaa-0000-0000-0000-000000000001";
const std::string uuid_b = "bbbbbbbb-0000-0000-0000-000000000002";
const std::string uuid_c = "cccccccc-0000-0000-0000-000000000003";

server_state replica(const std::string& name, const std::string& server, std::string executed) {
  server_state s;
  s.name = name;
  s.server = server;
  s.executed = std::move(executed);
  s.role = "replica";
  s.replicates = true;
  s.started = 1;
  return s;
}

server_state primary(const std::string& name, const std::string& server, std::string executed) {
  server_state s = replica(name, server, std::move(executed));
  s.role = "primary";
  s.is_writable = true;
  s.replicates = false;
  s.source_on = true;
  s.waits_for = 1;
  s.attached = 2;
  return s;
}

look look_of(std::int64_t epoch, const std::string& name, std::vector<server_state> servers) {
  return {name, epoch, 1, 2, std::move(servers)};
}

write write_of(std::int64_t id, std::int64_t begin, const std::string& server, bool acknowledged) {
  return {id, begin, begin + 5, acknowledged, server};
}

/// Three writes on db-0, of which one is lost with it unacknowledged; then one on db-1.
history good() {
  history h;
  h.members = 3;
  h.writes = {write_of(1, 10, uuid_a, true), write_of(2, 20, uuid_a, true),
              write_of(3, 30, uuid_a, false), write_of(4, 100, uuid_b, true)};
  h.looks.push_back(
      look_of(1, "db-0",
              {replica("db-1", uuid_b, uuid_a + ":1-2"), replica("db-2", uuid_c, uuid_a + ":1"),
               primary("db-0", uuid_a, uuid_a + ":1-2")}));
  const std::string both = uuid_a + ":1-2," + uuid_b + ":1";
  h.looks.push_back(
      look_of(2, "db-1", {replica("db-2", uuid_c, both), primary("db-1", uuid_b, both)}));
  h.end = look_of(2, "db-1",
                  {replica("db-0", uuid_a, both), replica("db-2", uuid_c, both),
                   primary("db-1", uuid_b, both)});
  for (const auto* name : {"db-0", "db-1", "db-2"})
    h.rows[name] = {1, 2, 4};
  h.restores.push_back({"nightly", 40, 60, {1, 2}});
  return h;
}

void expect_broken(const history& h, const std::string& name) {
  const auto found = broken_invariants(h);
  EXPECT_THAT(found, Not(IsEmpty())) << name;
  EXPECT_THAT(found, Each(StartsWith(name + ": ")));
}

TEST(mysql_history, a_failover_without_loss_is_right) {
  EXPECT_THAT(broken_invariants(good()), IsEmpty());
}

TEST(mysql_history, an_unacknowledged_write_may_be_there_or_not) {
  auto h = good();
  for (auto& [name, rows] : h.rows)
    rows.insert(3);
  EXPECT_THAT(broken_invariants(h), IsEmpty());
}

TEST(mysql_history, I1_a_lost_write) {
  auto h = good();
  for (auto& [name, rows] : h.rows)
    rows.erase(2);
  expect_broken(h, "I1");
  h = good();
  h.rows["db-2"].erase(4);
  expect_broken(h, "I1");
}

TEST(mysql_history, I1_a_row_from_nowhere) {
  auto h = good();
  h.rows["db-0"].insert(99);
  expect_broken(h, "I1");
}

TEST(mysql_history, I1_nothing_was_read) {
  auto h = good();
  h.rows.clear();
  expect_broken(h, "I1");
}

TEST(mysql_history, I2_two_that_can_acknowledge) {
  auto h = good();
  auto stranger = primary("db-0", uuid_a, uuid_a + ":1-2");
  stranger.role.clear();
  h.looks[1].servers.push_back(stranger);
  expect_broken(h, "I2");
  h.looks[1].servers.back().attached = 0;  // fenced: it can take writes, and acknowledge none
  EXPECT_THAT(broken_invariants(h), IsEmpty());
  h.looks[1].servers.back().source_on = false;
  expect_broken(h, "I2");
}

TEST(mysql_history, I2_two_labels) {
  auto h = good();
  h.looks[1].servers.front().role = "primary";
  expect_broken(h, "I2");
}

TEST(mysql_history, I2_the_label_is_of_another) {
  auto h = good();
  h.looks[0].servers.back().is_writable = false;
  h.looks[0].servers.back().role = "";
  h.looks[0].servers[0].role = "primary";
  h.looks[0].servers[0].is_writable = true;
  h.looks[0].servers[0].source_on = true;
  expect_broken(h, "I2");
}

TEST(mysql_history, I2_acknowledgements_alternate) {
  auto h = good();
  h.writes.push_back(write_of(5, 200, uuid_a, true));
  for (auto& [name, rows] : h.rows)
    rows.insert(5);
  expect_broken(h, "I2");
}

TEST(mysql_history, I2_writes_at_the_same_time_say_nothing_about_order) {
  auto h = good();
  // Acknowledged by db-0 after db-1's first, but begun before: the answer was only slow.
  h.writes.push_back({5, 31, 200, true, uuid_a});
  for (auto& [name, rows] : h.rows)
    rows.insert(5);
  EXPECT_THAT(broken_invariants(h), IsEmpty());
}

TEST(mysql_history, I3_a_replica_has_more) {
  auto h = good();
  h.looks[0].servers[0].executed = uuid_a + ":1-2," + uuid_b + ":1-3";
  expect_broken(h, "I3");
  h.looks[0].servers[0].is_quarantined = true;
  h.written_by_hand.insert(uuid_b);
  EXPECT_THAT(broken_invariants(h), IsEmpty());
}

TEST(mysql_history, I3_what_the_primary_is_committing_is_no_error) {
  auto h = good();
  h.looks[0].servers[0].executed = uuid_a + ":1-3";
  EXPECT_THAT(broken_invariants(h), IsEmpty());
}

TEST(mysql_history, I4_semi_sync_is_off) {
  auto h = good();
  h.looks[0].servers.back().source_on = false;
  expect_broken(h, "I4");
}

TEST(mysql_history, I4_commits_without_acknowledgement) {
  auto h = good();
  h.looks.insert(h.looks.begin(), h.looks[0]);
  h.looks[1].servers.back().unacknowledged = 1;
  expect_broken(h, "I4");
  h.looks[1].servers.back().started = 2;  // counted from 0 since its start
  EXPECT_THAT(broken_invariants(h), IsEmpty());
}

TEST(mysql_history, I5_the_record_promises_more) {
  auto h = good();
  h.looks[0].acks = 2;
  expect_broken(h, "I5");
  h = good();
  h.looks[0].replicas = 1;
  expect_broken(h, "I5");
}

TEST(mysql_history, I6_purged_before_it_was_received) {
  auto h = good();
  h.looks[0].servers.back().purged = uuid_a + ":1-2";
  expect_broken(h, "I6");
  h.looks[0].servers[1].received = uuid_a + ":2";
  EXPECT_THAT(broken_invariants(h), IsEmpty());
}

TEST(mysql_history, I7_the_epoch_falls) {
  auto h = good();
  h.looks.push_back(h.looks[1]);
  h.looks[2].epoch = 1;
  expect_broken(h, "I7");
}

TEST(mysql_history, I7_a_primary_without_an_epoch) {
  auto h = good();
  h.looks[1].epoch = 1;
  // One server acknowledged after another in one epoch as well.
  EXPECT_THAT(broken_invariants(h), Contains(StartsWith("I7: ")));
  EXPECT_THAT(broken_invariants(h), Contains(StartsWith("I2: ")));
}

TEST(mysql_history, I8_a_transaction_of_a_replica) {
  auto h = good();
  for (auto& s : h.end->servers)
    s.executed += "," + uuid_c + ":1";
  expect_broken(h, "I8");
}

TEST(mysql_history, I9_the_end_is_not_whole) {
  auto h = good();
  h.end->servers.erase(h.end->servers.begin());
  expect_broken(h, "I9");
  h = good();
  h.end->servers[0].replicates = false;
  expect_broken(h, "I9");
  h = good();
  h.end->servers[0].executed = uuid_a + ":1-2";
  expect_broken(h, "I9");
  h = good();
  h.end->servers.back().is_writable = false;
  expect_broken(h, "I9");
  h.end.reset();
  expect_broken(h, "I9");
}

TEST(mysql_history, I10_a_backup_that_lacks_a_write) {
  auto h = good();
  h.restores[0].rows.erase(2);
  expect_broken(h, "I10");
}

TEST(mysql_history, I10_a_backup_with_what_came_later) {
  auto h = good();
  h.restores[0].rows.insert(4);
  expect_broken(h, "I10");
  h = good();
  h.restores[0].rows.insert(99);
  expect_broken(h, "I10");
}

}  // namespace
}  // namespace mysql_cluster::testing
