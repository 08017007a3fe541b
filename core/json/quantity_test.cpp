#include "core/json/quantity.hpp"

#include <gtest/gtest.h>

#include <string>

namespace oarlock::json {
namespace {

struct pair {
  std::string left, right;
};

class equal_quantities : public testing::TestWithParam<pair> {};
TEST_P(equal_quantities, are_equal) {
  const auto left = quantity::parse(GetParam().left);
  const auto right = quantity::parse(GetParam().right);
  ASSERT_TRUE(left && right) << GetParam().left << " " << GetParam().right;
  EXPECT_TRUE(*left == *right) << GetParam().left << " " << GetParam().right;
  EXPECT_TRUE((*left <=> *right) == std::strong_ordering::equal);
}
INSTANTIATE_TEST_SUITE_P(
    table, equal_quantities,
    testing::Values(pair{"1000m", "1"}, pair{"1Gi", "1073741824"}, pair{"0.5", "500m"},
                    pair{"1.5Gi", "1536Mi"}, pair{"1k", "1000"}, pair{"1e3", "1k"},
                    pair{"1E3", "1000"}, pair{"1E", "1000000000000000000"}, pair{"1e-3", "1m"},
                    pair{"1e+3", "1k"}, pair{"100", "1e2"}, pair{"+5", "5"}, pair{"-0", "0"},
                    pair{"0Ki", "0"}, pair{"00012", "12"}, pair{"1.", "1"}, pair{".5", "0.5"},
                    pair{"1.500", "1.5"}, pair{"0.1n", "1n"}, pair{"-0.1n", "-1n"},
                    pair{"1.0000000001", "1000000001n"}, pair{"-1000m", "-1"},
                    pair{"16Ei", "9223372036854775807"}, pair{"1e999", "9223372036854775807"},
                    pair{"0.000000000000000000000000000000000000001", "1n"},
                    pair{"100000000000000000000000000", "9223372036854775807"},
                    pair{"1Ki", "1.024k"}, pair{"1000000u", "1"}));

class ordered_quantities : public testing::TestWithParam<pair> {};
TEST_P(ordered_quantities, left_is_less) {
  const auto left = quantity::parse(GetParam().left);
  const auto right = quantity::parse(GetParam().right);
  ASSERT_TRUE(left && right);
  EXPECT_TRUE(*left < *right);
  EXPECT_TRUE(*right > *left);
  EXPECT_FALSE(*left == *right);
}
INSTANTIATE_TEST_SUITE_P(table, ordered_quantities,
                         testing::Values(pair{"999m", "1"}, pair{"1G", "1Gi"}, pair{"-1", "1n"},
                                         pair{"-2", "-1"}, pair{"0", "1n"}, pair{"-1n", "0"},
                                         pair{"9", "10"}, pair{"1.1", "1.11"},
                                         pair{"1023Mi", "1Gi"}, pair{"1Ei", "8Ei"}));

class no_quantity : public testing::TestWithParam<std::string> {};
TEST_P(no_quantity, is_refused) {
  EXPECT_FALSE(quantity::parse(GetParam()));
}
INSTANTIATE_TEST_SUITE_P(table, no_quantity,
                         testing::Values("", "+", "-", ".", "m", "1 ", " 1", "1K", "1ki", "1mi",
                                         "1.2.3", "1e", "1e+", "1e+-3", "1e--3", "1e1.5", "0x10",
                                         "1Gib", "--1", "1,5", "NaN", "1e1000", "1e99999999999",
                                         "1234567890123456789.5", std::string(65, '1'), "one",
                                         std::string("1\0", 2)));

}  // namespace
}  // namespace oarlock::json
