#include "core/base/recent_map.hpp"

#include <gtest/gtest.h>

namespace oarlock {
namespace {

TEST(recent_map, forgets_what_was_not_asked_for_longest) {
  recent_map<int> map(3);
  map.put("a", 1);
  map.put("b", 2);
  map.put("c", 3);
  ASSERT_NE(map.find("a"), nullptr);
  map.put("d", 4);
  EXPECT_EQ(map.find("b"), nullptr);
  EXPECT_EQ(*map.find("a"), 1);
  EXPECT_EQ(*map.find("c"), 3);
  EXPECT_EQ(*map.find("d"), 4);
  EXPECT_EQ(map.size(), 3U);
}

TEST(recent_map, putting_again_replaces_and_counts_as_asked_for) {
  recent_map<int> map(2);
  map.put("a", 1);
  map.put("b", 2);
  map.put("a", 10);
  map.put("c", 3);
  EXPECT_EQ(*map.find("a"), 10);
  EXPECT_EQ(map.find("b"), nullptr);
}

}  // namespace
}  // namespace oarlock
