// MySQLCluster at a real API server, without servers: what is refused at apply, with which words,
// and which objects a new one gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

cluster& with_definitions() {
  static const bool applied = [] {
    const auto plugin = source_dir() / "plugins/mysql-cluster";
    for (const char* folder : {"crds", "rbac"})
      shared_cluster().must({"apply", "-f", (plugin / folder).string()});
    shared_cluster().must(
        {"wait", "--for=condition=Established", "--timeout=30s", "-f", (plugin / "crds").string()});
    return true;
  }();
  EXPECT_TRUE(applied);
  return shared_cluster();
}

std::string mysql_yaml(const std::string& name, const std::string& more) {
  return "apiVersion: mysql.oarlock.dev/v1alpha1\nkind: MySQLCluster\nmetadata: {name: " + name +
         "}\nspec: {image: \"mysql:9\", storage: {size: 1Gi}" + more + "}\n";
}

struct bad_cluster {
  const char* label;
  std::string name, more, says;
};
class RefusedMySQLCluster : public ::testing::TestWithParam<bad_cluster> {};

TEST_P(RefusedMySQLCluster, WithAReadableMessage) {
  const auto& c = GetParam();
  const auto answer = with_definitions().kubectl({"create", "--dry-run=server", "-f", "-"},
                                                 mysql_yaml(c.name, c.more));
  EXPECT_NE(answer.exit_code, 0);
  EXPECT_THAT(answer.err, HasSubstr(c.says));
}

INSTANTIATE_TEST_SUITE_P(
    AtApply, RefusedMySQLCluster,
    ::testing::Values(
        bad_cluster{"four", "a", ", replicas: 4", "spec.replicas must be 1, 2, 3 or 5"},
        bad_cluster{"durability", "a", ", replicas: 2, durability: {acknowledgements: 2}",
                    "spec.durability.acknowledgements must be less than spec.replicas"},
        bad_cluster{"series", "a", ", version: \"8.4\"", "Oarlock runs MySQL 9"},
        bad_cluster{"memory", "a", ", resources: {memory: 100Mi}", "must be at least 384Mi"},
        bad_cluster{"server_id", "a", ", config: {server_id: \"1\"}", "must not set a key that"},
        bad_cluster{"semi_sync", "a", ", config: {rpl_semi_sync_source_enabled: \"0\"}",
                    "must not set keys that begin with rpl_"},
        bad_cluster{"spelling", "a", ", config: {Max-Connections: \"1\"}", "in small letters"},
        bad_cluster{"two_lines", "a", ", config: {max_connections: \"1\\nserver_id=3\"}",
                    "must be one line each"},
        bad_cluster{"schema", "a", ", bootstrap: {database: mysql}", "MySQL's own schemas"},
        bad_cluster{"root", "a", ", bootstrap: {owner: root}", "must not be root"},
        bad_cluster{"backup_alone", "a", ", bootstrap: {backupName: b}", "belong together"},
        bad_cluster{"backup_name", "a", ", bootstrap: {backupName: a.b, claimName: c}",
                    "must be the name of a MySQLBackup"},
        bad_cluster{"policy", "a", ", failover: {policy: Never}", "Automatic"},
        bad_cluster{"long_name", std::string(47, 'a'), "", "at most 46 characters"},
        bad_cluster{"dots", "a.b", "", "must not contain dots"}),
    [](const auto& row) { return row.param.label; });

TEST(MySQLCluster, KeepsWhatCannotChange) {
  auto& c = with_definitions();
  c.must({"apply", "-f", "-"}, mysql_yaml("fixed", ""));
  const auto refused = [&](const std::string& patch) {
    const auto answer = c.kubectl({"patch", "mysqlcluster", "fixed", "--type=merge", "-p", patch});
    EXPECT_NE(answer.exit_code, 0);
    return answer.err;
  };
  EXPECT_THAT(refused(R"({"spec":{"storage":{"size":"512Mi"}}})"), HasSubstr("do not shrink"));
  EXPECT_THAT(refused(R"({"spec":{"storage":{"className":"x"}}})"), HasSubstr("className cannot"));
  EXPECT_THAT(refused(R"({"spec":{"bootstrap":{"database":"b"}}})"), HasSubstr("bootstrap cannot"));
  c.must({"scale", "mysqlcluster", "fixed", "--replicas=5"});
  c.must({"delete", "mysqlcluster", "fixed"});
}

// What was refused by what there is, and is no longer in the way when it is taken back.
TEST(MySQLCluster, RefusesToGoBackBehindWhatThereIs) {
  auto& c = with_definitions();
  c.must({"apply", "-f", "-"}, mysql_yaml("grown", ", durability: {acknowledgements: 2}"));
  const auto patch = [&](const std::string& spec) {
    return c.kubectl(
        {"patch", "mysqlcluster", "grown", "--type=merge", "-p", R"({"spec":)" + spec + "}"});
  };
  EXPECT_THAT(c.kubectl({"scale", "mysqlcluster", "grown", "--replicas=2"}).err,
              HasSubstr("must be less than spec.replicas"));
  c.must({"patch", "mysqlcluster", "grown", "--subresource=status", "--type=merge", "-p",
          R"({"status":{"version":"9.7.4-1","volumeSize":"2Gi"}})"});
  EXPECT_EQ(patch(R"({"storage":{"size":"9Ti"}})").exit_code, 0);
  EXPECT_THAT(patch(R"({"storage":{"size":"2047Mi"}})").err, HasSubstr("do not shrink"));
  EXPECT_EQ(patch(R"({"storage":{"size":"2Gi"}})").exit_code, 0) << "no volume got more";
  for (const char* version : {"9.6", "9.7.3", "9.6.9"}) {
    EXPECT_THAT(patch(R"({"version":")" + std::string(version) + R"("})").err,
                HasSubstr("must not be older than status.version"))
        << version;
  }
  for (const char* version : {"9.8", "9.7.4", "9.10.0", "9.7"})
    EXPECT_EQ(patch(R"({"version":")" + std::string(version) + R"("})").exit_code, 0) << version;
  c.must({"delete", "mysqlcluster", "grown"});
}

// A backup that cannot be loaded can be taken back; once there is a primary it is history.
TEST(MySQLCluster, KeepsTheBackupThatItWasMadeOf) {
  auto& c = with_definitions();
  c.must({"apply", "-f", "-"}, mysql_yaml("begun", ", bootstrap: {backupName: a, claimName: c}"));
  const auto name = [&](const std::string& backup) {
    return c.kubectl({"patch", "mysqlcluster", "begun", "--type=merge", "-p",
                      R"({"spec":{"bootstrap":{"backupName":")" + backup + R"("}}})"});
  };
  EXPECT_EQ(name("b").exit_code, 0);
  c.must({"patch", "mysqlcluster", "begun", "--subresource=status", "--type=merge", "-p",
          R"({"status":{"primary":"begun-0"}})"});
  EXPECT_THAT(name("c").err, HasSubstr("once the cluster has a primary"));
  c.must({"delete", "mysqlcluster", "begun"});
}

std::string backup_yaml(const std::string& name, const std::string& cluster,
                        const std::string& more) {
  return "apiVersion: mysql.oarlock.dev/v1alpha1\nkind: MySQLBackup\nmetadata: {name: " + name +
         "}\nspec: {clusterName: " + cluster + ", storage: {claimName: backups}" + more + "}\n";
}

TEST(MySQLBackup, IsTakenOnceAndAsItWasAskedFor) {
  auto& c = with_definitions();
  EXPECT_THAT(c.kubectl({"create", "--dry-run=server", "-f", "-"}, backup_yaml("a.b", "x", "")).err,
              HasSubstr("must not contain dots"));
  c.must({"create", "-f", "-"}, backup_yaml("fixed", "x", ""));
  EXPECT_THAT(c.kubectl({"patch", "mysqlbackup", "fixed", "--type=merge", "-p",
                         R"({"spec":{"clusterName":"y"}})"})
                  .err,
              HasSubstr("a backup is taken once"));
  c.must({"delete", "mysqlbackup", "fixed"});
}

// Its Job is one that Kubernetes takes, is made once, and what has ended stays so.
TEST(MySQLBackup, GetsOneJob) {
  auto& c = with_definitions();
  daemon d(c, {{"mysql-cluster"}, {}, false, {}});
  ASSERT_TRUE(d.wait_ready(60s)) << d.process().log();
  // Nothing is done to a paused cluster: its status is what is written here.
  c.must({"apply", "-f", "-"}, mysql_yaml("still", ", paused: true"));
  c.must({"patch", "mysqlcluster", "still", "--subresource=status", "--type=merge", "-p",
          R"({"status":{"primary":"still-0","replicaCount":0,"opened":true,"members":[)"
          R"({"name":"still-0","role":"Primary","address":"127.0.0.1"}]}})"});
  c.must({"apply", "-f", "-"},
         "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: backups}\nspec: {"
         "accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n");
  c.must({"create", "-f", "-"}, backup_yaml("taken", "still", ""));
  c.must({"create", "-f", "-"}, backup_yaml("late", "nobody", ", startDeadlineSeconds: 0"));
  const auto reaches = [&](const char* backup, const char* path, const char* wanted) {
    return eventually([&] { return c.field("mysqlbackup", backup, "default", path) == wanted; },
                      60s);
  };
  EXPECT_TRUE(reaches("late", ".status.reason", "ClusterNotFound")) << d.process().log();
  EXPECT_EQ(c.field("mysqlbackup", "late", "default", ".status.phase"), "Failed");
  ASSERT_TRUE(reaches("taken", ".status.phase", "Running")) << d.process().log();
  EXPECT_FALSE(c.get("job", "taken-backup", "default").empty());
  c.must({"delete", "job", "taken-backup"});
  EXPECT_TRUE(reaches("taken", ".status.reason", "JobLost")) << d.process().log();
  c.must({"annotate", "mysqlbackup", "taken", "touched=1"});
  c.must({"delete", "mysqlbackup", "late", "taken"});
  c.must({"delete", "pvc", "backups", "--wait=false"});
  c.must({"delete", "mysqlcluster", "still", "--wait=false"});
}

// Its Secrets are generated once, and stay as they are.
TEST(MySQLCluster, GetsItsObjects) {
  auto& c = with_definitions();
  daemon d(c, {{"mysql-cluster"}, {}, false, {}});
  ASSERT_TRUE(d.wait_ready(60s)) << d.process().log();
  c.must({"apply", "-f", "-"}, mysql_yaml("made", ""));
  ASSERT_TRUE(eventually([&] { return !c.get("secret", "made-app", "default").empty(); }, 60s))
      << d.process().log();
  const auto field = [&](const char* what, const char* name, const char* path) {
    return c.field(what, name, "default", path);
  };
  EXPECT_FALSE(field("secret", "made-accounts", ".data.admin").empty());
  EXPECT_FALSE(field("secret", "made-tls", ".data.tls\\.key").empty());
  EXPECT_EQ(field("secret", "made-app", ".data.ca\\.crt"),
            field("secret", "made-tls", ".data.ca\\.crt"));
  EXPECT_TRUE(eventually(
      [&] {
        return field("statefulset", "made", ".spec.replicas") == "3" &&
               field("mysqlcluster", "made", ".status.phase") == "Creating";
      },
      60s))
      << d.process().log();
  EXPECT_EQ(field("service", "made-rw", ".spec.selector.mysql\\.oarlock\\.dev/role"), "primary");
  EXPECT_EQ(field("poddisruptionbudget", "made", ".spec.maxUnavailable"), "1");

  const auto password = field("secret", "made-app", ".data.password");
  c.must({"annotate", "mysqlcluster", "made", "touched=1"});
  c.must({"delete", "service", "made-ro"});
  EXPECT_TRUE(eventually([&] { return !c.get("service", "made-ro", "default").empty(); }, 60s))
      << d.process().log();
  EXPECT_EQ(field("secret", "made-app", ".data.password"), password);
  c.must({"delete", "mysqlcluster", "made", "--wait=false"});
}

}  // namespace
}  // namespace oarlock::testing
