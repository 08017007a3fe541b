#include "core/plugin/checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/plugin/errors.hpp"

namespace oarlock::plugin {
namespace {

using ::testing::HasSubstr;

TEST(abi_range, of_a_frozen_major_every_minor_up_to_the_offered_one_runs) {
  const abi_version offered{1, 4};
  for (std::uint32_t minor = 0; minor <= 4; ++minor)
    EXPECT_TRUE(check_abi("libzoo.so", {1, minor}, offered)) << minor;
  const auto newer = check_abi("libzoo.so", {1, 5}, offered);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, plugin_error::wrong_abi);
  EXPECT_THAT(newer.error().message,
              HasSubstr("libzoo.so: expected plugin ABI 1.4, which this core offers, found 1.5, "
                        "which is too new; run a newer oarlockd"));
  EXPECT_FALSE(check_abi("libzoo.so", {2, 0}, offered));
  const auto older = check_abi("libzoo.so", {0, 5}, offered);
  ASSERT_FALSE(older);
  EXPECT_THAT(older.error().message, HasSubstr("too old; build the plugin again"));
}

TEST(abi_range, of_major_0_only_the_same_minor_runs) {
  EXPECT_TRUE(check_abi("libzoo.so", {0, 5}, {0, 5}));
  EXPECT_FALSE(check_abi("libzoo.so", {0, 4}, {0, 5}));
  EXPECT_FALSE(check_abi("libzoo.so", {0, 6}, {0, 5}));
}

}  // namespace
}  // namespace oarlock::plugin
