// oarlock.leadership/1 and oarlock.clock/1 in both homes: what the host says is read at once,
// wherever it is asked.
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "tests/abi/started.hpp"

namespace oarlock::abi {
namespace {

class leadership : public ::testing::TestWithParam<home> {
 protected:
  leadership() { settings_.lease = page_.get(); }
  // Each of what the plugin read in a plan and on a thread of its own.
  static std::string told(started& zoo, const char* of = "one") {
    const auto out = zoo.plan(of);
    return out.conditions.empty() ? out.fail_message : out.conditions.front().message;
  }
  const std::unique_ptr<plugin::lease_page> page_ = *plugin::lease_page::make();
  plugin::child_settings settings_ = zoo_settings();
};
INSTANTIATE_TEST_SUITE_P(homes, leadership, ::testing::Values(home::core, home::child), home_name);

constexpr auto nobody = "-9223372036854775808 -9223372036854775808";

TEST_P(leadership, is_read_in_plans_and_on_other_threads) {
  started zoo("leader", GetParam(), "{}", settings_);
  EXPECT_EQ(told(zoo), nobody);
  for (const std::int64_t limit :
       {std::int64_t{1}, std::int64_t{123456789012345}, std::numeric_limits<std::int64_t>::max()}) {
    page_->limit() = limit;
    EXPECT_EQ(told(zoo), std::to_string(limit) + " " + std::to_string(limit));
  }
  page_->limit() = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(told(zoo), nobody);
}

TEST_P(leadership, of_a_host_that_knows_none_is_nobodys) {
  started zoo("leader", GetParam());
  EXPECT_EQ(told(zoo), nobody);
}

TEST_P(leadership, is_measured_by_the_hosts_clock) {
  started zoo("leader", GetParam());
  const system_clock clock;
  const auto before = clock.now();
  std::istringstream said(told(zoo, "clock"));
  const auto after = clock.now();
  std::int64_t monotonic_ns = 0;
  std::int64_t unix_ms = 0;
  ASSERT_TRUE(said >> monotonic_ns >> unix_ms);
  const steady_time now{std::chrono::nanoseconds(monotonic_ns)};
  EXPECT_TRUE(before <= now && now <= after);
  const wall_time wall{std::chrono::milliseconds(unix_ms)};
  EXPECT_LT(std::chrono::abs(clock.wall_now() - wall), std::chrono::hours(1));
}

}  // namespace
}  // namespace oarlock::abi
