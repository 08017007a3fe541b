// The plugin in oarlockd, a real API server, and real servers on loopback: what is lost, and that
// no acknowledged write is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <iostream>

#include "plugins/mysql-cluster/src/certificates.hpp"
#include "plugins/mysql-cluster/src/settings.hpp"
#include "tests/mysql/load.hpp"
#include "tests/mysql/loopback_node.hpp"

namespace mysql_cluster::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* ns = "losses";

// By the plugin's home.
class mysql_losses : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const auto why = why_no_servers(); !why.empty()) GTEST_SKIP() << why;
    kube_ = std::make_unique<oarlock::testing::cluster>();
    kube_->make_namespace(ns);
    kube_->must({"apply", "-f", oarlock::testing::built("plugins/mysql-cluster/crds")});
    kube_->must({"wait", "--for=condition=Established", "--timeout=60s", "crd",
                 "mysqlclusters.mysql.oarlock.dev"});
    daemon_ = started(debug_socket());
    node_ = std::make_unique<loopback_node>(*kube_, ns);
    load_ = std::make_unique<cluster_under_load>(
        *kube_, ns, [this] { return node_->address_of("primary"); },
        [this] { return node_->log("db-0") + "oarlockd:\n" + daemon_->process().log(); });
    load_->start();
  }

  // One of several, where there is an election.
  [[nodiscard]] virtual bool elects() const { return false; }
  std::unique_ptr<oarlock::testing::daemon> started(const std::filesystem::path& socket) const {
    oarlock::testing::daemon::options o;
    o.plugins = {"mysql-cluster"};
    // All that it says, for the search for passwords.
    o.flags = {std::string("--plugin-home=") + GetParam(), "--log-level=debug",
               "--debug-socket=" + socket.string(),
               std::string("--leader-election-namespace=") + ns};
    o.leader_elect = elects();
    o.kubeconfig = kube_->dir() / "admin.kubeconfig";
    return std::make_unique<oarlock::testing::daemon>(*kube_, o);
  }

  // Nothing that people, logs or monitoring get holds what a Secret has.
  void TearDown() override {
    if (daemon_ == nullptr || HasFailure()) return;
    if (kube_->get("mysqlcluster", "db", ns).empty()) return;  // and its Secrets
    const auto said =
        daemon_->process().log() + daemon_->metrics() +
        oarlock::testing::run({oarlock::testing::built("bin/oarlock"), "debug", "dump", "--socket",
                               debug_socket().string()})
            .out +
        kube_->must({"get", "mysqlclusters,pods,configmaps,statefulsets,events.events", "-n", ns,
                     "-o", "yaml"});
    ASSERT_THAT(said, HasSubstr("mysqlcluster"));
    for (const auto& old : former_passwords_)
      EXPECT_EQ(said.find(old), std::string::npos) << "a former password";
    for (const auto& [secret, key] :
         std::vector<std::pair<const char*, const char*>>{{"db-accounts", "root"},
                                                          {"db-accounts", "admin"},
                                                          {"db-accounts", "replication"},
                                                          {"db-accounts", "clone"},
                                                          {"db-accounts", "monitor"},
                                                          {"db-accounts", "backup"},
                                                          {"db-app", "password"},
                                                          {"db-tls", "tls.key"},
                                                          {"db-ca", "ca.key"}}) {
      auto value = value_of(secret, key);
      if (value.starts_with("-----")) value = value.substr(value.find('\n') + 1, 40);
      ASSERT_GE(value.size(), 32U) << secret << ' ' << key;
      EXPECT_EQ(said.find(value), std::string::npos) << secret << ' ' << key;
    }
  }

  std::filesystem::path debug_socket() const { return kube_->dir() / "debug.sock"; }
  std::string value_of(const std::string& secret, const std::string& key) {
    return kube_->must(
        {"get", "secret", secret, "-n", ns, "-o",
         "go-template={{with index .data \"" + key + "\"}}{{base64decode .}}{{end}}"});
  }

  void lose(const std::string& pod) {
    node_->hold(pod, true);
    node_->kill_server(pod);
  }
  void give_back(const std::string& pod) { node_->hold(pod, false); }

  std::unique_ptr<oarlock::testing::cluster> kube_;
  std::unique_ptr<oarlock::testing::daemon> daemon_;
  std::unique_ptr<loopback_node> node_;
  std::unique_ptr<cluster_under_load> load_;
  std::vector<std::string> former_passwords_;
};

TEST_P(mysql_losses, F1_F7_and_F27_lose_no_acknowledged_write) {
  // F1: the primary's server is killed and does not come back for a while. What it was just
  // committing, and nobody acknowledged, may be in its log: then it comes back as a copy.
  const auto first = load_->primary();
  const auto begin = writer::now_ns();
  lose(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(first));
  std::cout << "mysql: F1, longest time without an acknowledgement " << load_->longest_gap_ms(begin)
            << " ms\n";
  give_back(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());

  // F7: the primary goes while one replica is away as well. Nobody knows whether the other one has
  // all that was acknowledged, so nothing is done before the first is back.
  const auto second = load_->primary();
  lose(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_writes());
  lose(second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_condition("FailoverBlocked", "QuorumLost"));
  EXPECT_EQ(load_->primary(), second);
  EXPECT_THAT(load_->condition("FailoverBlocked", "message"), HasSubstr("2 replicas must answer"));
  give_back(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(second));
  give_back(second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());

  // F27: of three members one stays, and the primary is the last one, which has to go.
  kube_->must({"annotate", "mysqlcluster", "db", "-n", ns, "mysql.oarlock.dev/switchover=db-2@1"});
  const auto is_alone = [&] {
    return load_->primary() == "db-0" && kube_->fields("pods", ns).size() == 1;
  };
  const auto has_moved = [&] { return load_->primary() == "db-2"; };
  ASSERT_TRUE(oarlock::testing::eventually(has_moved, 90s)) << daemon_->process().log();
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_writes());
  kube_->must({"patch", "mysqlcluster", "db", "-n", ns, "--type=merge", "-p",
               R"({"spec":{"replicas":1}})"});
  ASSERT_TRUE(oarlock::testing::eventually(is_alone, 90s)) << daemon_->process().log();
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_writes());

  EXPECT_THAT(load_->end(1), IsEmpty());
  const auto page = daemon_->metrics();
  EXPECT_LE(oarlock::testing::metric(page, "oarlock_plugin_child_restarts_total"), 0) << page;
}

class mysql_changes : public mysql_losses {
 protected:
  void configure(const std::string& config) {
    kube_->must({"patch", "mysqlcluster", "db", "-n", ns, "--type=merge", "-p",
                 R"({"spec":{"config":)" + config + "}}"});
  }
  // What each server says to it.
  std::multiset<std::string> values(const std::string& query) {
    std::multiset<std::string> made;
    auto to = admin_of({*kube_, ns, "db"});
    for (const auto& pod : kube_->fields("pods", ns)) {
      to.address = kube_->field("pod", pod, ns, ".status.podIP");
      const auto deadline = sql_clock() + 10s;
      made.insert(sql_session(to, deadline).value(query, deadline));
    }
    return made;
  }
  // The certificate of each server.
  std::multiset<std::string> shown() {
    std::multiset<std::string> made;
    auto to = admin_of({*kube_, ns, "db"});
    for (const auto& pod : kube_->fields("pods", ns)) {
      to.address = kube_->field("pod", pod, ns, ".status.podIP");
      made.insert(sql_session(to, sql_clock() + 10s).certificate().fingerprint);
    }
    return made;
  }
  void put(const std::string& secret, const std::map<std::string, std::string>& values) {
    std::string patch;
    for (const auto& [key, value] : values) {
      std::string text;
      for (const char c : value)
        text += c == '\n' ? "\\n" : std::string(1, c);
      patch.append(patch.empty() ? "" : ",").append("\"" + key + "\":\"" + text + "\"");
    }
    kube_->must({"patch", "secret", secret, "-n", ns, "--type=merge", "-p",
                 R"({"stringData":{)" + patch + "}}"});
  }
  static std::multiset<std::string> all_three(const std::string& value) {
    return {value, value, value};
  }
};

TEST_P(mysql_changes, variables_are_set_while_servers_run) {
  // One question for all: each look at the cluster starts kubectl several times.
  std::string all;
  for (const auto& [key, value] : dynamic_variables())
    all.append(all.empty() ? "" : ", ")
        .append("'" + std::string(key) + "=', @@global.")
        .append(key)
        .append(", '\n'");
  for (const auto& lines : values("SELECT CONCAT(" + all + ")")) {
    const auto found = settings_in(lines);
    for (const auto& [key, value] : dynamic_variables()) {
      if (key == "innodb_redo_log_capacity") continue;  // that one is asked for
      EXPECT_TRUE(is_same_value(found.at(std::string(key)), value))
          << key << ": expected " << value << ", has " << found.at(std::string(key));
    }
  }
  const auto pods = kube_->fields("pods", ns, ".metadata.uid");
  configure(R"({"max_connections":"200","long_query_time":"2.5"})");
  const auto have = [&](const std::string& connections) {
    return oarlock::testing::eventually(
        [&] { return values("SELECT @@global.max_connections") == all_three(connections); }, 90s);
  };
  EXPECT_TRUE(have("200")) << daemon_->process().log();
  EXPECT_EQ(values("SELECT @@global.long_query_time"), all_three("2.5"));
  configure(R"({"max_connections":"many"})");
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_condition("ConfigInvalid", "SettingRefused"));
  EXPECT_EQ(values("SELECT @@global.max_connections"), all_three("200"));
  configure(R"({"max_connections":null})");
  EXPECT_TRUE(have("151")) << daemon_->process().log();
  EXPECT_EQ(kube_->fields("pods", ns, ".metadata.uid"), pods) << "no member was started anew";
  EXPECT_THAT(load_->end(), IsEmpty());
}

// As if the cluster were two months old: what ends in 25 days was signed by a CA that is trusted.
TEST_P(mysql_changes, certificates_are_renewed_and_loaded_while_servers_run) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const auto ca = new_ca("db", ns, now - 2 * day_ms);
  const auto old = new_certificate("db", ns, ca, now - 65 * day_ms);
  const auto first_ca = value_of("db-tls", "ca.crt"), first = value_of("db-tls", "tls.crt");
  const auto pods = kube_->fields("pods", ns, ".metadata.uid");
  put("db-ca", {{"ca.crt", ca.certificate}, {"ca.key", ca.key}});
  put("db-tls",
      {{"ca.crt", ca.certificate + first_ca}, {"tls.crt", old.certificate}, {"tls.key", old.key}});
  std::string renewed;
  const auto is_renewed = [&] {
    renewed = value_of("db-tls", "tls.crt");
    return renewed != first && renewed != old.certificate;
  };
  ASSERT_TRUE(oarlock::testing::eventually(is_renewed, 60s)) << daemon_->process().log();
  EXPECT_GT(ends_unix_ms(renewed), now + 80 * day_ms);
  EXPECT_EQ(value_of("db-tls", "ca.crt"), ca.certificate + first_ca);
  const auto has_app_heard = [&] {
    return value_of("db-app", "ca.crt") == ca.certificate + first_ca;
  };
  EXPECT_TRUE(oarlock::testing::eventually(has_app_heard, 60s));
  node_->project_secrets();
  const auto is_loaded = [&] { return shown() == all_three(fingerprint_of(renewed)); };
  EXPECT_TRUE(oarlock::testing::eventually(is_loaded, 60s)) << daemon_->process().log();
  EXPECT_EQ(kube_->fields("pods", ns, ".metadata.uid"), pods) << "no member was started anew";
  // One that connects anew trusts what its source shows.
  node_->kill_server(load_->replica());
  EXPECT_THAT(load_->end(), IsEmpty());
  EXPECT_THAT(kube_->field("mysqlcluster", "db", ns, ".status.certificates.endsAt"),
              HasSubstr("T"));
}

// The primary is lost when some accounts have new passwords, or none, or all.
TEST_P(mysql_changes, F34_passwords_change_under_load_and_over_a_failover) {
  const auto old_app = value_of("db-app", "password"), old_admin = value_of("db-accounts", "admin");
  former_passwords_ = {old_app, old_admin};
  const auto pods = kube_->fields("pods", ns, ".metadata.uid");
  const auto first = load_->primary();
  kube_->must({"annotate", "mysqlcluster", "db", "-n", ns, "mysql.oarlock.dev/new-passwords=1"});
  const auto are_drawn = [&] { return !value_of("db-accounts", "change").empty(); };
  ASSERT_TRUE(oarlock::testing::eventually(are_drawn, 90s)) << daemon_->process().log();
  lose(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(first));
  give_back(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_condition("PasswordsChanging", "BothAccepted"));
  auto fresh = application_of({*kube_, ns, "db"});
  EXPECT_NE(fresh.password, old_app);
  EXPECT_NE(value_of("db-accounts", "admin"), old_admin);
  const auto code_for = [&](sql_target to, const std::string& password) {
    to.address = kube_->field("pod", load_->primary(), ns, ".status.podIP");
    to.password = password;
    try {
      sql_session(to, sql_clock() + 10s);
      return 0;
    } catch (const sql_error& e) {
      return e.code();
    }
  };
  const auto admin = admin_of({*kube_, ns, "db"});
  EXPECT_EQ(code_for(fresh, old_app), 0);
  EXPECT_EQ(code_for(fresh, fresh.password), 0);
  EXPECT_EQ(code_for(admin, old_admin), 0);
  // A kubelet brings the files; the hour is over.
  node_->project_secrets();
  load_->read_password();
  kube_->must({"patch", "mysqlcluster", "db", "-n", ns, "--subresource=status", "--type=merge",
               "-p", R"({"status":{"passwords":{"publishedAt":"2026-01-01T00:00:00Z"}}})"});
  const auto is_over = [&] {
    return kube_->field("mysqlcluster", "db", ns, ".status.passwords.done") == "1" &&
           value_of("db-accounts", "admin.old").empty();
  };
  ASSERT_TRUE(oarlock::testing::eventually(is_over, 90s)) << daemon_->process().log();
  EXPECT_EQ(code_for(fresh, old_app), access_denied);
  EXPECT_EQ(code_for(fresh, fresh.password), 0);
  EXPECT_EQ(code_for(admin, old_admin), access_denied);
  const auto are_ready = [&] {
    return kube_->fields("pods", ns, ".status.conditions[?(@.type=='Ready')].status") ==
           all_three("True");
  };
  EXPECT_TRUE(oarlock::testing::eventually(are_ready, 60s)) << "probes have the new one";
  EXPECT_EQ(kube_->fields("pods", ns, ".metadata.uid"), pods) << "no member was made anew";
  // Whoever connects anew does so with the new ones.
  const auto second = load_->primary();
  lose(second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(second));
  give_back(second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());
  EXPECT_THAT(load_->end(), IsEmpty());
}

// MySQL disables on a replica whatever comes by replication, and forgets what was disabled before.
TEST_P(mysql_changes, events_go_on_after_a_failover_and_disabled_ones_stay_so) {
  const auto first = load_->primary();
  auto to = application_of({*kube_, ns, "db"});
  to.address = kube_->field("pod", first, ns, ".status.podIP");
  const auto deadline = sql_clock() + 30s;
  sql_session app(to, deadline);
  app.query("CREATE EVENT app.tick ON SCHEDULE EVERY 1 DAY DO DO 1", deadline);
  app.query("CREATE EVENT app.still ON SCHEDULE EVERY 1 DAY DISABLE DO DO 1", deadline);
  const auto is_on_record = [&] {
    return kube_->field("mysqlcluster", "db", ns, ".status.disabledEvents[0]") == "`app`.`still`";
  };
  ASSERT_TRUE(oarlock::testing::eventually(is_on_record, 90s)) << daemon_->process().log();
  lose(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(first));
  auto admin = admin_of({*kube_, ns, "db"});
  admin.address = kube_->field("pod", load_->primary(), ns, ".status.podIP");
  const auto status = [&] {
    const auto until = sql_clock() + 10s;
    return sql_session(admin, until)
        .value(
            "SELECT GROUP_CONCAT(CONCAT(EVENT_NAME, ' ', STATUS, ' ', DEFINER) ORDER BY 1 DESC) "
            "FROM information_schema.EVENTS",
            until);
  };
  const std::string wanted = "tick ENABLED app@%,still DISABLED app@%";
  EXPECT_TRUE(oarlock::testing::eventually([&] { return status() == wanted; }, 90s))
      << status() << '\n'
      << daemon_->process().log();
  give_back(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());
  EXPECT_THAT(load_->end(), IsEmpty());
}

// Told to stop in an orderly way, a server would report commits that wait for an acknowledgement.
TEST_P(mysql_changes, F2_a_server_that_is_told_to_stop_reports_no_commit_that_nobody_acknowledged) {
  const auto first = load_->primary();
  std::vector<std::string> replicas;
  for (const auto& pod : kube_->fields("pods", ns)) {
    if (pod != first) replicas.push_back(pod);
  }
  auto to = admin_of({*kube_, ns, "db"});
  to.address = kube_->field("pod", first, ns, ".status.podIP");
  for (const auto& pod : replicas)
    node_->freeze(pod, true);
  const auto waits = [&] {
    const auto deadline = sql_clock() + 10s;
    return sql_session(to, deadline)
               .value(
                   "SELECT COUNT(*) > 0 FROM performance_schema.processlist "
                   "WHERE STATE LIKE 'Waiting for semi-sync ACK%'",
                   deadline) == "1";
  };
  ASSERT_TRUE(oarlock::testing::eventually(waits, 60s));
  node_->hold(first, true);
  node_->stop_server(first);
  const auto is_killed = [&] {
    return node_->log(first).find("it is killed, not stopped") != std::string::npos;
  };
  ASSERT_TRUE(oarlock::testing::eventually(is_killed, 60s)) << node_->log(first);
  for (const auto& pod : replicas)
    node_->freeze(pod, false);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(first));
  give_back(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());
  EXPECT_THAT(load_->end(), IsEmpty());
}

TEST_P(mysql_changes, F24_the_API_server_is_away_when_the_primary_is_lost) {
  const auto first = load_->primary();
  kube_->component("kill", "kube-apiserver");
  const auto is_noticed = [&] {
    return daemon_->probe("/readyz").find("[-]api-server") != std::string::npos;
  };
  ASSERT_TRUE(oarlock::testing::eventually(is_noticed, 60s)) << daemon_->probe("/readyz");
  lose(first);
  kube_->component("start", "kube-apiserver");
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(first));
  give_back(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());

  // And in the middle of a failover, wherever that is.
  const auto second = load_->primary();
  lose(second);
  kube_->component("kill", "kube-apiserver");
  ASSERT_TRUE(oarlock::testing::eventually(is_noticed, 60s)) << daemon_->probe("/readyz");
  kube_->component("start", "kube-apiserver");
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(second));
  give_back(second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());
  EXPECT_THAT(load_->end(), IsEmpty());
}

// A global read lock does not keep a server from becoming read-only, a locked table does.
TEST_P(mysql_changes, F11_somebody_holds_locks_during_a_switchover) {
  const auto first = load_->primary(), second = load_->replica();
  auto to = admin_of({*kube_, ns, "db"});
  const auto holder_of = [&](const std::string& lock) {
    to.address = kube_->field("pod", load_->primary(), ns, ".status.podIP");
    const auto deadline = sql_clock() + 300s;
    auto made = std::make_unique<sql_session>(to, deadline);
    made->query(lock, deadline);
    return made;
  };
  const auto is_answered = [&](const std::string& request) {
    kube_->must({"annotate", "--overwrite", "mysqlcluster", "db", "-n", ns,
                 "mysql.oarlock.dev/switchover=" + request});
    return oarlock::testing::eventually(
        [&] { return kube_->field("mysqlcluster", "db", ns, ".status.switchoverDone") == request; },
        90s);
  };
  auto holder = holder_of("FLUSH TABLES WITH READ LOCK");
  ASSERT_TRUE(is_answered(second + "@1")) << daemon_->process().log();
  EXPECT_EQ(load_->primary(), second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_writes());
  holder.reset();
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());

  holder = holder_of("LOCK TABLES app.writes WRITE");
  ASSERT_TRUE(is_answered(first + "@2")) << daemon_->process().log();
  EXPECT_EQ(load_->primary(), second);
  const auto is_told = [&] {
    return kube_->fields("events.events", ns, ".reason").contains("SwitchoverRefused");
  };
  EXPECT_TRUE(oarlock::testing::eventually(is_told, 60s));
  holder.reset();
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_writes());
  ASSERT_TRUE(is_answered(first + "@3")) << daemon_->process().log();
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());
  EXPECT_EQ(load_->primary(), first);
  EXPECT_THAT(load_->end(), IsEmpty());
}

// What is left of a cluster that was deleted is its volumes.
class mysql_deletions : public mysql_changes {
 protected:
  void delete_it() {
    kube_->must({"delete", "mysqlcluster", "db", "-n", ns, "--wait=false"});
    std::string left;
    const auto is_gone = [&] {
      left = kube_->must(
          {"get", "mysqlclusters,statefulsets,pods,services,pdb", "-n", ns, "-o", "name"});
      return left.empty();
    };
    EXPECT_TRUE(oarlock::testing::eventually(is_gone, 90s)) << left << daemon_->process().log();
    EXPECT_EQ(kube_->fields("persistentvolumeclaims", ns).size(), 3U) << "onDelete is Retain";
  }
};

TEST_P(mysql_deletions, F35_a_cluster_is_deleted_during_a_failover) {
  lose(load_->primary());
  delete_it();
}

TEST_P(mysql_deletions, F36_a_cluster_is_deleted_when_its_pods_are_gone) {
  for (const auto& pod : kube_->fields("pods", ns))
    lose(pod);
  kube_->must({"delete", "pods", "--all", "-n", ns, "--force", "--grace-period=0"});
  delete_it();
}

class mysql_two_operators : public mysql_losses {
 protected:
  [[nodiscard]] bool elects() const override { return true; }
};

TEST_P(mysql_two_operators, F23_a_leader_that_was_frozen_through_a_failover_does_no_harm) {
  const auto other = started(kube_->dir() / "other.sock");
  const auto stands_by = [](const oarlock::testing::daemon& d) {
    return oarlock::testing::eventually(
        [&] { return d.probe("/readyz").find("standing by") != std::string::npos; }, 60s);
  };
  ASSERT_TRUE(stands_by(*other)) << other->probe("/readyz");
  const auto first = load_->primary();
  daemon_->process().send(SIGSTOP);
  lose(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(first));
  give_back(first);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());
  const auto second = load_->primary();
  daemon_->process().send(SIGCONT);
  EXPECT_TRUE(stands_by(*daemon_)) << daemon_->probe("/readyz");
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_writes());
  EXPECT_EQ(load_->primary(), second);
  // And it can lead again.
  other->process().send(SIGTERM);
  lose(second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_for_other_than(second));
  give_back(second);
  ASSERT_NO_FATAL_FAILURE(load_->wait_until_whole());
  EXPECT_THAT(load_->end(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(homes, mysql_deletions, ::testing::Values("core"),
                         [](const auto& home) { return std::string(home.param); });
INSTANTIATE_TEST_SUITE_P(homes, mysql_two_operators, ::testing::Values("core"),
                         [](const auto& home) { return std::string(home.param); });
INSTANTIATE_TEST_SUITE_P(homes, mysql_changes, ::testing::Values("core"),
                         [](const auto& home) { return std::string(home.param); });
INSTANTIATE_TEST_SUITE_P(homes, mysql_losses, ::testing::Values("core", "child"),
                         [](const auto& home) { return std::string(home.param); });

}  // namespace
}  // namespace mysql_cluster::testing
