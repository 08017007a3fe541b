// oarlock.event_source/1 in both homes: what it takes, and a plugin that floods it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/abi/started.hpp"
#include "tests/support/process.hpp"

namespace oarlock::abi {
namespace {

using namespace std::chrono_literals;
using plugin::event_inbox;
using ::testing::Contains;
using testing::eventually;
using ::testing::HasSubstr;

class event_source_test : public ::testing::TestWithParam<home> {};
INSTANTIATE_TEST_SUITE_P(homes, event_source_test, ::testing::Values(home::core, home::child),
                         home_name);

double over_quota() {
  const std::string line =
      "oarlock_plugin_over_quota_total{plugin=\"zoo\",quota=\"enqueues-per-second\"} ";
  const std::string text = zoo_metrics().serialize();
  const auto at = text.find(line);
  return at == std::string::npos ? 0 : std::stod(text.substr(at + line.size()));
}

TEST_P(event_source_test, a_flood_becomes_so_many_keys_and_one_warning) {
  plugin::quota_table quotas;
  ASSERT_TRUE(quotas.add("zoo:enqueues-per-second=100"));
  auto settings = zoo_settings();
  settings.quotas = &quotas;
  started zoo("restless", GetParam(), "{}", settings);
  const auto inbox = zoo.plugin().enqueued();
  ASSERT_NE(inbox, nullptr);
  const double over = over_quota();
  ::testing::internal::CaptureStderr();
  // More keys than wait at most: some found no place, and all are planned instead.
  bool is_told = false;
  std::size_t whole = 0;
  std::size_t most = 0;
  EXPECT_TRUE(eventually(
      [&] {
        const auto taken = inbox->take();
        most = std::max(most, taken.keys.size());
        whole += taken.whole.size();
        for (const auto& e : taken.keys) {
          EXPECT_EQ(e.controller, "zoo");
          is_told = is_told || e.key == cache::object_key{"shop", "told"};
        }
        return is_told && whole == 1;
      },
      60s));
  EXPECT_LE(most, 100U);
  EXPECT_GT(over_quota(), over);
  // Other calls go on beside it.
  const auto out = zoo.plan("told");
  ASSERT_EQ(out.conditions.size(), 1U);
  EXPECT_EQ(out.conditions.front().message, "3 3 3 0");
  zoo.plugin().stop();
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("plugin is over its quota: what its event sources enqueue waits"));
}

TEST_P(event_source_test, nothing_comes_after_stop) {
  started zoo("restless", GetParam());
  const auto inbox = zoo.plugin().enqueued();
  zoo.plugin().stop();
  (void)inbox->take();
  EXPECT_TRUE(inbox->take().keys.empty());
}

}  // namespace
}  // namespace oarlock::abi
