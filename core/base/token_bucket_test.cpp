#include "core/base/token_bucket.hpp"

#include <gtest/gtest.h>

namespace oarlock {
namespace {

using namespace std::chrono_literals;

TEST(token_bucket, refills_up_to_its_burst) {
  const steady_time start{std::chrono::hours(1)};
  token_bucket bucket(2, 3);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(bucket.take(start, 0s), duration::zero());
  EXPECT_FALSE(bucket.take(start, 499ms));
  EXPECT_EQ(bucket.take(start, 500ms), 500ms);
  EXPECT_EQ(bucket.take(start, 1s), 1s) << "behind the one before";
  EXPECT_EQ(bucket.take(start + 1h, 0s), duration::zero());
  EXPECT_EQ(bucket.take(start + 1h, 0s), duration::zero());
  EXPECT_EQ(bucket.take(start + 1h, 0s), duration::zero());
  EXPECT_FALSE(bucket.take(start + 1h, 0s)) << "a long silence is worth one burst";
}

}  // namespace
}  // namespace oarlock
