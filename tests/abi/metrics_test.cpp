// oarlock.metrics/1 in both homes: what comes to the page, what is refused, and a flood of labels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/abi/started.hpp"
#include "tests/support/process.hpp"

namespace oarlock::abi {
namespace {

using namespace std::chrono_literals;
using controller::plan_verdict;
using ::testing::AllOf;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* all_lines[] = {
    "# HELP zoo_meals_total Meals eaten, by food\n# TYPE zoo_meals_total counter\n",
    "\nzoo_meals_total{food=\"hay\",plugin=\"zoo\"} 2.5\n",
    "\nzoo_meals_total{food=\"gr\xc3\xbcn\",plugin=\"zoo\"} 1\n",
    "# TYPE zoo_asleep gauge\nzoo_asleep{plugin=\"zoo\"} 4\n",
    "# TYPE zoo_weight_grams histogram\n",
    "zoo_weight_grams_count{plugin=\"zoo\"} 3\nzoo_weight_grams_sum{plugin=\"zoo\"} 106\n",
    "zoo_weight_grams_bucket{plugin=\"zoo\",le=\"1\"} 1\n",
    "zoo_weight_grams_bucket{plugin=\"zoo\",le=\"10\"} 2\n",
    "zoo_weight_grams_bucket{plugin=\"zoo\",le=\"+Inf\"} 3\n",
};

bool has_all(const std::string& page) {
  return std::all_of(std::begin(all_lines), std::end(all_lines),
                     [&](const char* line) { return page.find(line) != std::string::npos; });
}

class metrics_test : public ::testing::TestWithParam<home> {};
INSTANTIATE_TEST_SUITE_P(homes, metrics_test, ::testing::Values(home::core, home::child),
                         home_name);

TEST_P(metrics_test, are_on_the_page_until_the_plugin_goes) {
  {
    started zoo("labelled", GetParam());
    ASSERT_EQ(zoo.plan("well").verdict, plan_verdict::done);
    EXPECT_TRUE(eventually([&] { return has_all(zoo_metrics().serialize()); }, 30s))
        << zoo_metrics().serialize();
  }
  EXPECT_THAT(zoo_metrics().serialize(), Not(HasSubstr("zoo_")));
}

TEST_P(metrics_test, of_two_instances_are_the_same_until_both_are_gone) {
  started one("labelled", GetParam());
  ASSERT_EQ(one.plan("well").verdict, plan_verdict::done);
  const std::string line = "zoo_meals_total{food=\"hay\",plugin=\"zoo\"} ";
  EXPECT_TRUE(
      eventually([&] { return zoo_metrics().serialize().find(line) != std::string::npos; }, 30s));
  {
    started next("labelled", GetParam());  // as for an upgrade
    ASSERT_EQ(next.plan("well").verdict, plan_verdict::done);
    EXPECT_TRUE(eventually(
        [&] { return zoo_metrics().serialize().find(line + "5\n") != std::string::npos; }, 30s));
  }
  EXPECT_THAT(zoo_metrics().serialize(), HasSubstr(line));
}

TEST_P(metrics_test, wrong_declarations_and_calls_are_refused) {
  started zoo("labelled", GetParam());
  const auto out = zoo.plan("wrong");
  ASSERT_EQ(out.conditions.size(), 1U);
  EXPECT_EQ(out.conditions.front().message, "0 were taken");
}

TEST_P(metrics_test, a_flood_of_labels_becomes_one_series_and_is_named) {
  plugin::quota_table quotas;
  ASSERT_TRUE(quotas.add("zoo:metric-series=100"));
  auto settings = zoo_settings();
  settings.quotas = &quotas;
  started zoo("labelled", GetParam(), "{}", settings);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(zoo.plan("flood").verdict, plan_verdict::done);
  EXPECT_TRUE(eventually(
      [&] {
        return zoo_metrics().serialize().find(
                   "zoo_meals_total{food=\"overflow\",plugin=\"zoo\"} 2900\n") != std::string::npos;
      },
      30s));
  const auto page = zoo_metrics().serialize();
  EXPECT_THAT(page, AllOf(HasSubstr("food=\"food-99\""), Not(HasSubstr("food=\"food-100\""))));
  EXPECT_THAT(page, HasSubstr("oarlock_plugin_over_quota_total{plugin=\"zoo\",quota=\"metric-"));
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("more series of its metric become one, overflow plugin=zoo "
                             "quota=metric-series limit=100 metric=zoo_meals_total"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

TEST(metrics_of_a_child, begin_anew_with_the_next_one) {
  started zoo("labelled", home::child);
  ASSERT_EQ(zoo.plan("well").verdict, plan_verdict::done);
  EXPECT_TRUE(eventually([&] { return has_all(zoo_metrics().serialize()); }, 30s));
  EXPECT_EQ(zoo.plan("crash").fail_reason, "PluginCrashed");
  EXPECT_THAT(zoo_metrics().serialize(), Not(HasSubstr("food=\"hay\"")));
  ASSERT_EQ(zoo.plan("well").verdict, plan_verdict::done);
  EXPECT_TRUE(eventually([&] { return has_all(zoo_metrics().serialize()); }, 30s));
}

}  // namespace
}  // namespace oarlock::abi
