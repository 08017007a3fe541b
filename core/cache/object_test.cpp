#include "core/cache/object.hpp"

#include <gtest/gtest.h>

#include <string>

namespace oarlock::cache {
namespace {

enum class order { less, equal, greater, unknown };

struct row {
  std::string left, right;
  order expected;
};
void PrintTo(const row& r, std::ostream* out) {
  *out << r.left << " ? " << r.right;
}

order order_of(const std::string& a, const std::string& b) {
  const auto o = compare_versions(a, b);
  if (!o) return order::unknown;
  return *o < 0 ? order::less : *o > 0 ? order::greater : order::equal;
}

class versions : public testing::TestWithParam<row> {};
TEST_P(versions, compare) {
  EXPECT_EQ(order_of(GetParam().left, GetParam().right), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    table, versions,
    testing::Values(row{"1", "2", order::less}, row{"10", "9", order::greater},
                    row{"7", "7", order::equal}, row{"007", "7", order::equal},
                    row{"0", "00", order::equal}, row{"0", "1", order::less},
                    row{"99999999999999999999999999999999", "100000000000000000000000000000000",
                        order::less},
                    row{"18446744073709551616", "18446744073709551615", order::greater},
                    row{"", "", order::equal}, row{"", "1", order::unknown},
                    row{"a", "a", order::equal}, row{"a", "b", order::unknown},
                    row{"1", "1a", order::unknown}, row{"-1", "1", order::unknown},
                    row{"1.0", "1", order::unknown}, row{" 1", "1", order::unknown}));

TEST(object_meta, knows_its_controller) {
  object_meta meta;
  EXPECT_EQ(meta.controller(), nullptr);
  meta.owners = {{"v1", "A", "a", "1", false}, {"v1", "B", "b", "2", true}};
  ASSERT_NE(meta.controller(), nullptr);
  EXPECT_EQ(meta.controller()->uid, "2");
}

TEST(object, counts_its_bytes) {
  object_meta meta;
  meta.key = {"ns", "n"};
  const object small(meta, "{}");
  const object large(meta, std::string(5000, ' '));
  meta.labels["a-label-that-is-long-enough"] = std::string(1000, 'x');
  const object labelled(meta, "{}");
  EXPECT_GE(small.bytes(), sizeof(object));
  EXPECT_GE(labelled.bytes(), small.bytes() + 1000);
  EXPECT_GE(large.bytes(), small.bytes() + 5000);
}

}  // namespace
}  // namespace oarlock::cache
