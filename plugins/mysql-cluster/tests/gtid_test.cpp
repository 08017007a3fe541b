// Sets of GTIDs: what is read, what is refused, and the algebra against sets of single numbers.
#include "plugins/mysql-cluster/src/gtid.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace mysql_cluster {
namespace {

const std::string a = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const std::string b = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

gtid_set set(const std::string& text) {
  return gtid_set::parse(text);
}

TEST(gtid_set, reads_what_a_server_says) {
  EXPECT_TRUE(set("").empty());
  EXPECT_TRUE(set(" \n").empty());
  EXPECT_EQ(set(a + ":1").text(), a + ":1");
  EXPECT_EQ(set(a + ":1-3:5,\n" + b + ":7").text(), a + ":1-3:5," + b + ":7");
  EXPECT_EQ(set("3E11FA47-71CA-11E1-9E33-C80AA9429562:1 - 3").text(), a + ":1-3");
}

TEST(gtid_set, joins_what_touches) {
  EXPECT_EQ(set(a + ":5:1-2:3:4").text(), a + ":1-5");
  EXPECT_EQ(set(a + ":1-10:3-4," + a + ":11").text(), a + ":1-11");
}

TEST(gtid_set, keeps_tags_apart) {
  const auto tagged = set(a + ":1-3:backup:1-2:app:9");
  EXPECT_EQ(tagged.text(), a + ":1-3:app:9:backup:1-2");
  EXPECT_EQ(set(tagged.text()), tagged);
  EXPECT_FALSE(set(a + ":1-9").contains(tagged));
  EXPECT_EQ((tagged - set(a + ":backup:1")).text(), a + ":1-3:app:9:backup:2");
  EXPECT_EQ(tagged.count(), 6);
}

TEST(gtid_set, tells_what_one_server_made_later) {
  auto all = set(a + ":1-3:5-9:tag:4," + b + ":1");
  EXPECT_EQ(all.newer(a, set(a + ":1:3-6")).text(), a + ":7-9:tag:4");
  EXPECT_EQ(all.newer(b, set(a + ":1")).text(), b + ":1");
  EXPECT_TRUE(all.newer(b, all).empty());
  all.drop_source(a);
  EXPECT_EQ(all.text(), b + ":1");
}

TEST(gtid_set, refuses_what_is_none_and_says_why) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      return "none: " + set(text).text();
    } catch (const gtid_error& e) {
      return e.what();
    }
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(refusal("x:1"), HasSubstr("a UUID of 36 characters, found \"x\""));
  EXPECT_THAT(refusal(a), HasSubstr("number after the UUID"));
  EXPECT_THAT(refusal(a + ":0"), HasSubstr("from 1 to 2^63-2, found \"0\""));
  EXPECT_THAT(refusal(a + ":9223372036854775807"), HasSubstr("from 1 to 2^63-2"));
  EXPECT_THAT(refusal(a + ":1-"), HasSubstr("found \"\""));
  EXPECT_THAT(refusal(a + ":-1"), HasSubstr("found"));
  EXPECT_THAT(refusal(a + ":3-2"), HasSubstr("not before its start"));
  EXPECT_THAT(refusal(a + ":tag"), HasSubstr("number after the tag"));
  EXPECT_THAT(refusal(a + ":tag:other:1"), HasSubstr("number after the tag before"));
  EXPECT_THAT(refusal(a + ":b*d:1"), HasSubstr("a tag of at most 32"));
  EXPECT_THAT(refusal(a + ":1:" + std::string(33, 't') + ":1"), HasSubstr("a tag of at most 32"));
}

TEST(gtid_set, subtracts_and_contains) {
  EXPECT_EQ((set(a + ":1-10") - set(a + ":3-4:9-20")).text(), a + ":1-2:5-8");
  EXPECT_EQ((set(a + ":1-10," + b + ":1") - set(a + ":1-10")).text(), b + ":1");
  EXPECT_TRUE((set(a + ":2") - set(a + ":1-3")).empty());
  EXPECT_TRUE(set(a + ":1-10").contains(set(a + ":2:4-10")));
  EXPECT_FALSE(set(a + ":1-10").contains(set(a + ":11")));
  EXPECT_FALSE(set(a + ":1-10").contains(set(b + ":1")));
  EXPECT_TRUE(set("").contains(set("")));
  const auto self = set(a + ":1-3");
  EXPECT_TRUE((self - self).empty());
}

TEST(gtid_set, ends_at_the_largest_number) {
  const auto all = set(a + ":1-9223372036854775806");
  EXPECT_EQ((all - set(a + ":9223372036854775806")).text(), a + ":1-9223372036854775805");
  EXPECT_TRUE((all - all).empty());
  EXPECT_EQ((all + set(b + ":1")).count(), gtid_set::number_max);
}

// Against the plain model: a set of numbers.
TEST(gtid_set, agrees_with_sets_of_single_numbers) {
  std::uint32_t state = 1;  // the same numbers every time
  const auto random = [&state] { return (state = state * 1664525U + 1013904223U) >> 8U; };
  const auto some = [&random](std::set<int>& numbers) {
    std::string text;
    for (unsigned left = random() % 6; left > 0; --left) {
      const int first = 1 + static_cast<int>(random() % 30);
      const int last = first + static_cast<int>(random() % 8);
      for (int n = first; n <= last; ++n)
        numbers.insert(n);
      text += ":" + std::to_string(first) + "-" + std::to_string(last);
    }
    return text.empty() ? gtid_set() : set(a + text);
  };
  const auto numbers_of = [](const std::set<int>& numbers) {
    std::string text;
    for (const int n : numbers)
      text += ":" + std::to_string(n);
    return text.empty() ? gtid_set() : set(a + text);
  };
  for (int i = 0; i < 2000; ++i) {
    std::set<int> left, right;
    const auto x = some(left), y = some(right);
    std::set<int> both = left, less = left;
    both.insert(right.begin(), right.end());
    for (const int n : right)
      less.erase(n);
    ASSERT_EQ(x + y, numbers_of(both));
    ASSERT_EQ(x - y, numbers_of(less)) << x.text() << " less " << y.text();
    ASSERT_EQ(x.contains(y), std::includes(left.begin(), left.end(), right.begin(), right.end()));
    ASSERT_EQ(x.count(), static_cast<std::int64_t>(left.size()));
  }
}

}  // namespace
}  // namespace mysql_cluster
