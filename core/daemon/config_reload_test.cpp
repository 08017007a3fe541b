#include "core/daemon/config_reload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace oarlock::daemon {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class ConfigReload : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(dir_); }
  void TearDown() override {
    log_configure(log_level::info, log_format::text);
    fs::remove_all(dir_);
  }
  void write(const std::string& yaml) { std::ofstream(file_) << yaml; }
  parsed_flags parse() const { return parse_flags({"--config", file_.string()}, "1", ""); }
  config_reload start() {
    auto first = parse();
    EXPECT_TRUE(first.run) << first.err;
    log_configure(first.run->log_level, first.run->log_format);
    return {std::move(*first.run),
            [this] {
              ++reads_;
              return parse();
            },
            *metrics_,
            [this](const options& o) {
              plugins_ = o.plugins;
              quotas_ = o.plugin_quotas;
            }};
  }
  void expect_successful(int value) {
    EXPECT_THAT(metrics_->serialize(),
                HasSubstr("oarlock_config_last_reload_successful " + std::to_string(value)));
  }

  fs::path dir_ = fs::path(::testing::TempDir()) / ("reload" + std::to_string(getpid()));
  fs::path file_ = dir_ / "config.yaml";
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  int reads_ = 0;
  std::vector<std::string> plugins_{"nobody told"};
  plugin::quota_table quotas_;
};

TEST_F(ConfigReload, TakesOverTheLogLevelWhenTheTextChanges) {
  write("log-level: warn\n");
  auto reload = start();
  reload.reload_if_changed();
  EXPECT_EQ(reads_, 0);
  write("log-level: debug\n");
  reload.reload_if_changed();
  EXPECT_TRUE(log_enabled(log_level::debug));
  EXPECT_EQ(reads_, 1);
  reload.reload_if_changed();
  EXPECT_EQ(reads_, 1);
  expect_successful(1);
}

TEST_F(ConfigReload, SeesALinkThatIsSwapped) {
  std::ofstream(dir_ / "one") << "log-level: warn\n";
  std::ofstream(dir_ / "two") << "log-level: error\n";
  fs::create_symlink("one", file_);
  auto reload = start();
  fs::create_symlink("two", dir_ / "new");
  fs::rename(dir_ / "new", file_);
  reload.reload_if_changed();
  EXPECT_FALSE(log_enabled(log_level::warn));
}

TEST_F(ConfigReload, KeepsTheOldConfigurationWhenTheNewOneHasAMistake) {
  write("log-level: warn\n");
  auto reload = start();
  for (const auto* bad : {"log-level: verbose\n", "log-levle: debug\n", "log-level: [\n"}) {
    write(bad);
    ::testing::internal::CaptureStderr();
    reload.reload_if_changed();
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr(file_.string() + ":"));
    EXPECT_FALSE(log_enabled(log_level::info)) << bad;
    EXPECT_TRUE(log_enabled(log_level::warn)) << bad;
    expect_successful(0);
  }
  write("log-level: warn\n");
  reload.reload_if_changed();
  expect_successful(1);
}

TEST_F(ConfigReload, NamesWhatNeedsARestart) {
  write("log-level: info\n");
  auto reload = start();
  write("log-level: info\nnamespace: other\nleader-elect: false\n");
  ::testing::internal::CaptureStderr();
  reload.reload();
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("changed settings wait for a restart"));
  EXPECT_THAT(log, HasSubstr("namespace, leader-elect"));
}

TEST_F(ConfigReload, TellsWhichPluginsAreWanted) {
  write("plugin: [a]\n");
  auto reload = start();
  EXPECT_EQ(plugins_, std::vector<std::string>{"nobody told"});
  write("plugin: [b, c]\n");
  ::testing::internal::CaptureStderr();
  reload.reload_if_changed();
  EXPECT_EQ(plugins_, (std::vector<std::string>{"b", "c"}));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::Not(HasSubstr("restart")));
  write("plugin: [b, c]\nplugin-quota: [\"b:cache-bytes=1Mi\"]\n");
  ::testing::internal::CaptureStderr();
  reload.reload_if_changed();
  EXPECT_EQ(quotas_.of("b").cache_bytes, 1U << 20U);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::Not(HasSubstr("restart")));
  write("plugin: [b, c]\nlog-level: loud\n");
  plugins_.clear();
  reload.reload();
  EXPECT_TRUE(plugins_.empty()) << "a mistake changes nothing";
}

TEST_F(ConfigReload, SeesThatThePluginsConfigurationsChange) {
  const auto of_b = (dir_ / "b.yaml").string();
  write("plugin: [b]\nplugin-config: [\"b=" + of_b + "\"]\n");
  std::ofstream(of_b) << "size: 1\n";
  auto reload = start();
  reload.reload_if_changed();
  EXPECT_EQ(reads_, 0);
  std::ofstream(of_b) << "size: 2\n";
  ::testing::internal::CaptureStderr();
  reload.reload_if_changed();
  EXPECT_EQ(reads_, 1);
  EXPECT_EQ(plugins_, std::vector<std::string>{"b"}) << "the plugins are looked at again";
  write("plugin: [b]\nplugin-config: [\"b=" + (dir_ / "c.yaml").string() + "\"]\n");
  std::ofstream(dir_ / "c.yaml") << "size: 3\n";
  reload.reload_if_changed();
  reload.reload_if_changed();
  EXPECT_EQ(reads_, 2) << "once for another file";
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::Not(HasSubstr("restart")));
}

}  // namespace
}  // namespace oarlock::daemon
