// The programs of the image, as its pods run them, with real servers on loopback: what is dumped
// and loaded again is the same, and what cannot be loaded changes nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <sstream>

#include "plugins/mysql-cluster/src/generate.hpp"
#include "tests/mysql/loopback_node.hpp"

namespace mysql_cluster::testing {
namespace {

using namespace std::chrono_literals;
namespace files = std::filesystem;
using oarlock::testing::background;
using oarlock::testing::eventually;
using oarlock::testing::finished;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr auto server_limit = 120s;
constexpr const char* program = "/usr/local/bin/oarlock-mysql";
constexpr const char* backup_program = "/usr/local/bin/oarlock-mysql-backup";

std::string text_of(const files::path& file) {
  std::ifstream in(file);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

void write(const files::path& file, const std::string& text) {
  files::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

/// Of the program that bubblewrap runs: its only child.
pid_t process_1_of(const background& sandbox) {
  const auto pid = std::to_string(sandbox.pid());
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  pid_t made = 0;
  if (!(children >> made)) throw std::runtime_error("no process in the sandbox " + pid);
  return made;
}

/// What the Secrets of a cluster are for its pods.
struct secrets {
  explicit secrets(const files::path& folder) : dir(folder) {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    const auto ca = new_ca("db", "shop", now);
    const auto tls = new_certificate("db", "shop", ca, now);
    write(dir / "tls/ca.crt", ca.certificate);
    write(dir / "tls/tls.crt", tls.certificate);
    write(dir / "tls/tls.key", tls.key);
    for (const char* account : {"root", "admin", "replication", "clone", "monitor", "backup"})
      write(dir / "accounts" / account, new_password());
    write(dir / "config/my.cnf", "[mysqld]\ninnodb_buffer_pool_size=64M\n");
  }
  [[nodiscard]] std::string password(const char* account) const {
    return text_of(dir / "accounts" / account);
  }
  files::path dir;
};

/// The folders of one pod, and programs that run among them.
class pod {
 public:
  pod(const secrets& with, const files::path& dir, std::string address, files::path backups)
      : with_(with), dir_(dir), address_(std::move(address)), backups_(std::move(backups)) {
    for (const char* folder : {"volume", "run", "tmp", "words"})
      files::create_directories(dir_ / folder);
    files::create_directories(backups_);
  }

  using variables = std::map<std::string, std::string>;

  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& argv,
                                                 const variables& env = {},
                                                 bool has_small_volume = false) const {
    std::vector<std::string> made = {"bwrap",         "--unshare-user", "--uid",
                                     "999",           "--gid",          "999",
                                     "--unshare-pid", "--as-pid-1",     "--die-with-parent"};
    const auto add = [&](const std::vector<std::string>& more) {
      made.insert(made.end(), more.begin(), more.end());
    };
    add({"--ro-bind", oarlock::testing::source_dir() / "build/mysql/root", "/"});
    add({"--proc", "/proc", "--dev", "/dev"});
    add({"--bind", dir_ / "volume", "/var/lib/mysql", "--bind", dir_ / "run", "/run/mysqld"});
    add({"--bind", dir_ / "tmp", "/tmp"});
    for (const char* folder : {"config", "accounts", "tls"})
      add({"--ro-bind", with_.dir / folder, std::string("/etc/oarlock-mysql/") + folder});
    add({"--bind", dir_ / "words", "/var/tmp"});
    if (has_small_volume) {
      add({"--size", "65536", "--tmpfs", "/backup"});
    } else {
      add({"--bind", backups_, "/backup"});
    }
    add({"--clearenv"});
    auto all = env;
    all.insert({{"PATH", "/usr/local/bin:/usr/sbin:/usr/bin"},
                {"POD_NAME", "db-0"},
                {"POD_IP", address_},
                {"APP_DATABASE", "app"},
                {"TERMINATION_LOG", "/var/tmp/last-words"}});
    for (const auto& [name, value] : all)
      add({"--setenv", name, value});
    add(argv);
    return made;
  }

  /// Runs a program to its end; what it has said last is in last_words().
  finished run(const std::vector<std::string>& argv, const variables& env = {},
               bool has_small_volume = false) const {
    files::remove(dir_ / "words/last-words");
    return oarlock::testing::run(command(argv, env, has_small_volume), {}, server_limit);
  }
  [[nodiscard]] std::string last_words() const { return text_of(dir_ / "words/last-words"); }

  finished init(const std::string& backup = {}) const {
    variables env;
    if (!backup.empty()) env["BACKUP_NAME"] = backup;
    return run({program, "init"}, env);
  }
  void start() {
    server_ = std::make_unique<background>(command({program, "run"}), dir_ / "server.log");
    if (!eventually([&] { return run({program, "ready"}).exit_code == 0; }, server_limit)) {
      throw std::runtime_error("the server does not answer: " + server_->log());
    }
  }
  void stop() { server_.reset(); }

  [[nodiscard]] std::vector<std::string> client(const std::string& statements) const {
    return {"mysql",
            "--socket=/run/mysqld/mysqld.sock",
            "--user=root",
            "--password=" + with_.password("root"),
            "--batch",
            "--raw",
            "--skip-column-names",
            "--execute=" + statements};
  }
  [[nodiscard]] std::string sql(const std::string& statements) const {
    auto done = oarlock::testing::run(command(client(statements)), {}, server_limit);
    if (done.exit_code != 0) throw std::runtime_error(statements + ": " + done.err);
    return done.out;
  }
  /// What the operator is told, with the password of its Secret.
  [[nodiscard]] finished as_operator(const std::string& statement) const {
    return run({"mysql", "--host=" + address_, "--user=oarlock_admin",
                "--password=" + with_.password("admin"), "--batch", "--skip-column-names",
                "--execute=" + statement});
  }
  [[nodiscard]] std::string executed() const { return sql("SELECT @@global.gtid_executed"); }

  /// All rows and all that is not rows, as text.
  [[nodiscard]] std::string content() const {
    std::string made = sql("CHECKSUM TABLE app.plain, app.odd, app.parts, `a b`.t EXTENDED");
    for (const char* what : {"VIEW app.seen", "PROCEDURE app.count_them", "EVENT app.tick"})
      made += sql(std::string("SHOW CREATE ") + what);
    made +=
        sql("SELECT DEFINER, EVENT_OBJECT_TABLE, ACTION_TIMING, ACTION_STATEMENT FROM "
            "information_schema.TRIGGERS WHERE TRIGGER_NAME='noted'");
    made += sql("SELECT * FROM app.seen ORDER BY 1");
    return made;
  }

  finished take(const std::string& name, const pod& from, bool has_small_volume = false) const {
    return run({backup_program, "take"}, take_env(name, from), has_small_volume);
  }
  [[nodiscard]] variables take_env(const std::string& name, const pod& from) const {
    return {{"BACKUP_NAME", name},   {"BACKUP_ATTEMPT", "uid-1"}, {"SOURCE_HOST", from.address_},
            {"SOURCE_NAME", "db-0"}, {"SOURCE_CLUSTER", "db"},    {"SOURCE_NAMESPACE", "shop"}};
  }

  [[nodiscard]] files::path volume() const { return dir_ / "volume"; }
  [[nodiscard]] files::path backups() const { return backups_; }
  [[nodiscard]] files::path dir() const { return dir_; }

 private:
  const secrets& with_;
  files::path dir_;
  std::string address_;
  files::path backups_;
  std::unique_ptr<background> server_;
};

constexpr const char* what_it_has = R"(
SET GLOBAL super_read_only=OFF;
SET GLOBAL read_only=OFF;
CREATE DATABASE app;
CREATE DATABASE `a b`;
CREATE TABLE `a b`.t (id INT PRIMARY KEY, `odd '"name` TEXT);
INSERT INTO `a b`.t VALUES (1, 'GTID_PURGED=''+none'';'), (2, NULL);
CREATE TABLE app.plain (id INT PRIMARY KEY AUTO_INCREMENT, data VARBINARY(1024));
INSERT INTO app.plain (data) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n
  WHERE i < 900) SELECT RANDOM_BYTES(1024) FROM n;
CREATE TABLE app.odd (id INT PRIMARY KEY, text_of TEXT CHARACTER SET utf8mb4, doc JSON,
  at TIMESTAMP(6), amount DECIMAL(20,5), twice INT AS (id * 2) STORED, kind ENUM('a','b'));
INSERT INTO app.odd (id, text_of, doc, at, amount, kind) VALUES
  (1, '😀 \\ '' " \n \0 \Z %', '{"a": [1, null]}', '2026-03-01 12:00:00.123456', -1.5, 'b'),
  (2, '-- Dump completed on never', NULL, NULL, 99999999999999.99999, NULL);
CREATE TABLE app.parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3;
INSERT INTO app.parts VALUES (1), (2), (3), (4);
CREATE VIEW app.seen AS SELECT COUNT(*) FROM app.parts;
CREATE TRIGGER app.noted BEFORE INSERT ON app.parts FOR EACH ROW SET NEW.id = NEW.id + 0;
CREATE DEFINER='nobody'@'%' PROCEDURE app.count_them() SELECT COUNT(*) FROM app.plain;
CREATE EVENT app.tick ON SCHEDULE EVERY 1 DAY DISABLE ON REPLICA DO
  DELETE FROM app.parts WHERE id < 0;
SET GLOBAL super_read_only=ON;
)";

/// One server with data, closed as a replica is, and one good backup of it.
class mysql_backup : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!why_no_servers().empty()) return;
    dir_ = std::make_unique<oarlock::testing::scratch_dir>();
    secrets_ = std::make_unique<secrets>(dir_->path() / "secrets");
    const auto number = std::hash<std::string>()(dir_->path());
    network_ = fmt::format("127.{}.{}.", 10 + number % 240, number / 240 % 256);
    source_ = make_pod("source", "backups");
    const auto made = source_->init();
    if (made.exit_code != 0) throw std::runtime_error(made.err);
    source_->start();
    std::ignore = source_->sql(what_it_has);
    content_ = source_->content();
    executed_ = source_->executed();
    taken_ = make_pod("job", "backups")->take("monday", *source_);
  }
  static void TearDownTestSuite() {
    source_.reset();
    secrets_.reset();
    dir_.reset();
  }
  void SetUp() override {
    if (const auto why = why_no_servers(); !why.empty()) GTEST_SKIP() << why;
    ASSERT_EQ(taken_.exit_code, 0) << taken_.err;
  }

  static std::unique_ptr<pod> make_pod(const std::string& name, const std::string& backups) {
    return std::make_unique<pod>(*secrets_, dir_->path() / name,
                                 network_ + std::to_string(++addresses_), dir_->path() / backups);
  }
  static files::path backups() { return dir_->path() / "backups"; }

  /// The good backup in a volume of its own, to be damaged.
  static files::path copy_backup(const std::string& volume, const std::string& name = "monday") {
    const auto to = dir_->path() / volume / name;
    files::create_directories(to.parent_path());
    files::copy(backups() / "monday", to, files::copy_options::recursive);
    return to;
  }
  static void expect_refused(const std::string& volume, const std::string& reason,
                             const std::string& name = "monday") {
    const auto p = make_pod("refused-" + volume, volume);
    EXPECT_NE(p->init(name).exit_code, 0) << volume;
    EXPECT_THAT(p->last_words(), StartsWith(reason + "\n")) << volume;
    EXPECT_TRUE(files::is_empty(p->volume())) << volume << ": something was written";
  }
  static void expect_same(pod& restored) {
    restored.start();
    EXPECT_EQ(restored.executed(), executed_);
    // On a replica, where it was dumped, it was not to be run.
    auto expected = content_;
    const std::string disabled = "DISABLE ON REPLICA";
    ASSERT_THAT(expected, HasSubstr(disabled));
    expected.replace(expected.find(disabled), disabled.size(), "ENABLE");
    EXPECT_EQ(restored.content(), expected);
    EXPECT_EQ(restored.sql("SELECT @@global.gtid_purged"), executed_);
    restored.stop();
  }

  static std::unique_ptr<oarlock::testing::scratch_dir> dir_;
  static std::unique_ptr<secrets> secrets_;
  static std::unique_ptr<pod> source_;
  static std::string network_, content_, executed_;
  static finished taken_;
  static int addresses_;
};
std::unique_ptr<oarlock::testing::scratch_dir> mysql_backup::dir_;
std::unique_ptr<secrets> mysql_backup::secrets_;
std::unique_ptr<pod> mysql_backup::source_;
std::string mysql_backup::network_, mysql_backup::content_, mysql_backup::executed_;
finished mysql_backup::taken_;
int mysql_backup::addresses_ = 0;

TEST_F(mysql_backup, F30_a_backup_leaves_no_transaction_on_the_server) {
  const auto p = make_pod("job-again", "backups");
  const auto done = p->take("tuesday", *source_);
  ASSERT_EQ(done.exit_code, 0) << done.err;
  EXPECT_EQ(source_->executed(), executed_);
  EXPECT_THAT(p->last_words(), StartsWith("Succeeded\n"));
  auto one_line = executed_;
  std::erase(one_line, '\n');
  EXPECT_THAT(p->last_words(), HasSubstr("gtids: " + one_line));
  EXPECT_THAT(text_of(backups() / "tuesday/manifest.json"), HasSubstr("\"" + one_line + "\""));
}

TEST_F(mysql_backup, what_was_taken_is_what_is_loaded) {
  const auto p = make_pod("restored", "backups");
  const auto done = p->init("monday");
  ASSERT_EQ(done.exit_code, 0) << done.err;
  expect_same(*p);
  // Once more, as after a death of the kubelet: it is there.
  EXPECT_EQ(p->init("monday").exit_code, 0);
}

TEST_F(mysql_backup, F33_a_volume_with_data_is_left_alone) {
  const auto p = make_pod("in-use", "backups");
  ASSERT_EQ(p->init().exit_code, 0);
  const auto stamp = text_of(p->volume() / "initialized");
  EXPECT_NE(p->init("monday").exit_code, 0);
  EXPECT_THAT(p->last_words(), StartsWith("VolumeInUse\n"));
  EXPECT_EQ(text_of(p->volume() / "initialized"), stamp);
  EXPECT_FALSE(files::exists(p->volume() / "data/app"));
}

// Data that an older Oarlock has made, or that was away while passwords changed.
TEST_F(mysql_backup, a_start_gives_accounts_what_they_need_and_no_transaction) {
  const auto p = make_pod("older", "backups");
  ASSERT_EQ(p->init().exit_code, 0);
  p->start();
  const std::string rights =
      "SHOW GRANTS FOR oarlock_admin@'%'; SHOW GRANTS FOR oarlock_backup@'%'";
  const auto wanted = p->sql(rights);
  std::ignore = p->sql(
      "SET GLOBAL super_read_only=OFF; SET GLOBAL read_only=OFF; SET sql_log_bin=OFF; "
      "REVOKE EVENT, CLONE_ADMIN ON *.* FROM oarlock_admin@'%'; DROP USER oarlock_backup@'%'; "
      "ALTER USER oarlock_admin@'%' IDENTIFIED BY 'older'");
  EXPECT_NE(p->as_operator("SELECT 1").exit_code, 0);
  p->stop();
  p->start();
  EXPECT_EQ(p->sql(rights), wanted);
  const auto said = p->as_operator("SELECT @@global.super_read_only, @@global.gtid_executed");
  EXPECT_EQ(said.out, "1\t\n") << said.err;
  p->stop();
}

TEST_F(mysql_backup, F31_a_load_that_is_killed_begins_anew) {
  std::unique_ptr<pod> p;
  // Once more where this program was kept waiting until all was loaded.
  for (int attempt = 0; attempt < 5; ++attempt) {
    p = make_pod("killed-" + std::to_string(attempt), "backups");
    background first(p->command({program, "init"}, {{"BACKUP_NAME", "monday"}}),
                     p->dir() / "init.log");
    const auto is_loading = [&] { return files::exists(p->volume() / "data/app"); };
    ASSERT_TRUE(eventually(is_loading, server_limit)) << first.log();
    first.send(SIGKILL);
    first.wait(10s);
    if (!files::exists(p->volume() / "initialized")) break;
  }
  ASSERT_FALSE(files::exists(p->volume() / "initialized"));
  const auto done = p->init("monday");
  ASSERT_EQ(done.exit_code, 0) << done.err;
  expect_same(*p);
}

TEST_F(mysql_backup, F31_what_is_damaged_or_not_ours_is_refused_before_anything_is_written) {
  files::resize_file(copy_backup("cut") / "dump.sql.zst", 1000);
  expect_refused("cut", "BackupTruncated");
  {
    std::fstream dump(copy_backup("flipped") / "dump.sql.zst",
                      std::ios::in | std::ios::out | std::ios::binary);
    dump.seekp(5000);
    dump.put('\x55');
    dump.put('\xaa');
  }
  expect_refused("flipped", "BackupTruncated");
  files::remove(copy_backup("no-dump") / "dump.sql.zst");
  expect_refused("no-dump", "BackupTruncated");
  files::remove(copy_backup("no-manifest") / "manifest.json");
  expect_refused("no-manifest", "BackupTruncated");
  {
    const auto manifest = copy_backup("half-manifest") / "manifest.json";
    auto text = text_of(manifest);
    write(manifest, text.substr(0, text.find("\n}")));
  }
  expect_refused("half-manifest", "BackupTruncated");
  expect_refused("renamed", "BackupMissing");
  copy_backup("renamed", "other");
  expect_refused("renamed", "BackupForeign", "other");
  write(copy_backup("foreign") / "manifest.json", "{\"backup\": \"of somebody else\"}\n");
  expect_refused("foreign", "BackupForeign");
  {
    const auto manifest = copy_backup("newer") / "manifest.json";
    auto text = text_of(manifest);
    const std::string key = "\"serverVersion\": \"";
    text.replace(text.find(key) + key.size(), 1, "99");
    write(manifest, text);
  }
  expect_refused("newer", "BackupForeign");
}

TEST_F(mysql_backup, F31_a_backup_that_is_ended_leaves_nothing_that_looks_like_one) {
  const auto p = make_pod("ended", "ended-backups");
  std::ignore = source_->sql("SET GLOBAL super_read_only=OFF; SET GLOBAL read_only=OFF");
  // mysqldump waits for this one.
  background lock(source_->command(source_->client(
                      "LOCK TABLES app.plain WRITE; SELECT 'locked'; SELECT SLEEP(600)")),
                  p->dir() / "lock.log");
  const auto waiting = [&] {
    return source_->sql(
               "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER="
               "'oarlock_backup' AND STATE LIKE 'Waiting for%'") == "1\n";
  };
  const auto is_locked = [&] {
    return source_->sql(
               "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE "
               "'SELECT SLEEP%'") == "1\n";
  };
  ASSERT_TRUE(eventually(is_locked, server_limit));
  for (const int how : {SIGTERM, SIGKILL}) {
    background taking(p->command({backup_program, "take"}, p->take_env("monday", *source_)),
                      p->dir() / "take.log");
    ASSERT_TRUE(eventually(waiting, server_limit)) << taking.log();
    kill(process_1_of(taking), how);  // as a kubelet does
    ASSERT_NE(taking.wait(20s), 0);
    EXPECT_FALSE(files::exists(p->backups() / "monday"));
    if (how == SIGTERM) {
      EXPECT_TRUE(files::is_empty(p->backups()));
      EXPECT_THAT(p->last_words(), StartsWith("Interrupted\n"));
    }
    // The server does not know yet that nobody waits any more.
    std::ignore = source_->sql(
        "KILL " +
        source_->sql("SELECT ID FROM information_schema.PROCESSLIST WHERE USER='oarlock_backup'"));
    ASSERT_TRUE(eventually([&] { return !waiting(); }, server_limit));
  }
  lock.send(SIGKILL);
  lock.wait(10s);
  ASSERT_TRUE(eventually([&] { return !is_locked(); }, server_limit));
  std::ignore = source_->sql("SET GLOBAL super_read_only=ON");
  // The next one with this name takes away what was left, and nothing else.
  const auto done = p->take("monday", *source_);
  ASSERT_EQ(done.exit_code, 0) << done.err;
  std::vector<std::string> names;
  for (const auto& entry : files::directory_iterator(p->backups()))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, ::testing::ElementsAre("monday"));
}

TEST_F(mysql_backup, F31_failures_have_their_reasons) {
  const auto before = text_of(backups() / "monday/manifest.json");
  const auto p = make_pod("failing", "backups");
  EXPECT_NE(p->take("monday", *source_).exit_code, 0);
  EXPECT_THAT(p->last_words(), StartsWith("NameTaken\n"));
  EXPECT_EQ(text_of(backups() / "monday/manifest.json"), before);
  EXPECT_NE(p->take("full", *source_, true).exit_code, 0);
  EXPECT_THAT(p->last_words(), StartsWith("VolumeFull\n"));
  const auto nobody = make_pod("nobody", "backups");
  EXPECT_NE(p->take("away", *nobody).exit_code, 0);
  EXPECT_THAT(p->last_words(), StartsWith("ServerUnreachable\n"));
  EXPECT_FALSE(files::exists(backups() / "away"));
}

// The account reads and stops the server for a moment; it neither changes anything nor becomes
// somebody else.
TEST_F(mysql_backup, its_account_has_no_right_to_write) {
  const auto grants = source_->sql("SHOW GRANTS FOR 'oarlock_backup'@'%'");
  for (const char* right : {"INSERT", "UPDATE", "DELETE", "DROP", "CREATE", "SUPER", "RELOAD",
                            "REPLICATION_SLAVE_ADMIN", "GRANT OPTION", "FILE"})
    EXPECT_THAT(grants, ::testing::Not(HasSubstr(right)));
}

}  // namespace
}  // namespace mysql_cluster::testing
