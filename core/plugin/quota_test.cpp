#include "core/plugin/quota.hpp"

#include <gmock/gmock.h>

#include "core/plugin/log_limit.hpp"
#include "tests/support/fake_clock.hpp"

namespace oarlock::plugin {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(quota_table, has_defaults) {
  EXPECT_EQ(quota_table().of("boats"), plugin_quota());
  EXPECT_GT(plugin_quota().cache_bytes, 0U);
}

TEST(quota_table, all_plugins_and_then_one) {
  quota_table table;
  ASSERT_TRUE(table.add("boats:writes-per-second=5,cache-bytes=64Mi"));
  ASSERT_TRUE(table.add("*:writes-per-second=7,log-lines-per-second=0"));
  ASSERT_TRUE(table.add("boats:writes-in-flight=1,concurrent-reconciles=2"));
  const auto boats = table.of("boats");
  EXPECT_EQ(boats.writes_per_second, 5U) << "what is said of one plugin wins, whoever came last";
  EXPECT_EQ(boats.cache_bytes, 64U << 20U);
  EXPECT_EQ(boats.writes_in_flight, 1U);
  EXPECT_EQ(boats.concurrent_reconciles, 2U);
  EXPECT_EQ(boats.log_lines_per_second, 0U);
  EXPECT_EQ(table.of("cars").writes_per_second, 7U);
  EXPECT_EQ(table.of("cars").cache_bytes, plugin_quota().cache_bytes);
  EXPECT_THAT(table.entries(), ElementsAre("boats:writes-per-second=5,cache-bytes=64Mi",
                                           "*:writes-per-second=7,log-lines-per-second=0",
                                           "boats:writes-in-flight=1,concurrent-reconciles=2"));
}

TEST(quota_table, mistakes_say_expected_and_found) {
  const struct {
    const char* entry;
    const char* says;
  } cases[] = {
      {"", "expected PLUGIN:QUOTA=VALUE"},
      {"writes-per-second=5", "expected PLUGIN:QUOTA=VALUE"},
      {":writes-per-second=5", "expected PLUGIN:QUOTA=VALUE"},
      {"boats:", "expected one of writes-per-second, writes-in-flight"},
      {"boats:speed=5", "found \"speed\""},
      {"boats:cache-bytes", "expected cache-bytes as a number"},
      {"boats:cache-bytes=", "expected cache-bytes as a number"},
      {"boats:cache-bytes=-1", "found \"-1\""},
      {"boats:cache-bytes=1Ti", "found \"1Ti\""},
      {"boats:cache-bytes=99999999999Gi", "found \"99999999999Gi\""},
      {"boats:cache-bytes=1,,cache-bytes=2", "found \"\""},
  };
  for (const auto& c : cases) {
    quota_table table;
    const auto done = table.add(c.entry);
    ASSERT_FALSE(done) << c.entry;
    EXPECT_THAT(done.error().message, HasSubstr(c.says)) << c.entry;
    EXPECT_TRUE(table.entries().empty());
    EXPECT_EQ(table.of("boats"), plugin_quota());
  }
}

TEST(log_limit, drops_what_is_too_much_and_counts_it_by_name) {
  test::fake_clock clock;
  const auto metrics = make_prometheus_registry();
  log_limit limit("boats", {2, &clock, metrics.get()});
  int passed = 0;
  for (int i = 0; i < 100; ++i)
    passed += limit.admit() ? 1 : 0;
  EXPECT_EQ(passed, 20) << "ten seconds' worth after a quiet time";
  EXPECT_THAT(metrics->serialize(), HasSubstr("oarlock_plugin_over_quota_total{plugin=\"boats\","
                                              "quota=\"log-lines-per-second\"} 80"));
  clock.set(clock.now() + 1s);
  EXPECT_TRUE(limit.admit());
  EXPECT_TRUE(limit.admit());
  EXPECT_FALSE(limit.admit());
}

TEST(log_limit, zero_is_no_limit) {
  log_limit limit("boats", {});
  for (int i = 0; i < 10000; ++i)
    ASSERT_TRUE(limit.admit());
}

}  // namespace
}  // namespace oarlock::plugin
