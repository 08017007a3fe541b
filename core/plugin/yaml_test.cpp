#include "core/plugin/yaml.hpp"

#include <gmock/gmock.h>

namespace oarlock::plugin {
namespace {

using ::testing::HasSubstr;

std::string json(const std::string& yaml) {
  const auto made = yaml_to_json(YAML::Load(yaml), "f.yaml");
  return made ? *made : "error: " + made.error().message;
}

TEST(yaml, plain_scalars_follow_yaml_1_2) {
  EXPECT_EQ(json("[null, ~, true, FALSE, 0, -7, +3, 1.5, 2e3, abc, 1.2.3, v1]"),
            R"([null,null,true,false,0,-7,3,1.5,2000.0,"abc","1.2.3","v1"])");
  EXPECT_EQ(json("['1', \"true\", !!str 7]"), R"(["1","true","7"])");
  EXPECT_EQ(json("a: |\n  x\n  y\nb: >-\n  x\n  y\nc:"), R"({"a":"x\ny\n","b":"x y","c":null})");
  EXPECT_EQ(json("[9223372036854775807, -9223372036854775808]"),
            "[9223372036854775807,-9223372036854775808]");
  EXPECT_EQ(json("[1-2, ., e5, -, +a, 10m, 1_000]"), R"(["1-2",".","e5","-","+a","10m","1_000"])");
}

TEST(yaml, words_that_readers_disagree_on_are_refused) {
  for (const char* word : {"yes", "No", "on", "OFF", "y", "0123", "0x1f", "0o17", ".inf", "-.inf",
                           ".NaN", "9223372036854775808"}) {
    EXPECT_THAT(json(std::string("a: ") + word), HasSubstr("put it in quotes")) << word;
    EXPECT_THAT(json(std::string("a: '") + word + "'"), HasSubstr(word)) << word;
  }
}

TEST(yaml, what_json_cannot_say_is_refused) {
  EXPECT_EQ(json("a: 1\nb: 2\na: 3"),
            "error: f.yaml:3:1: expected each key once, found \"a\" twice");
  EXPECT_THAT(json("? [1]\n: 2"), HasSubstr("expected text as a key"));
  EXPECT_THAT(json("a: !thing x"), HasSubstr("f.yaml:1:4: expected no tag"));
  EXPECT_THAT(json("a: 'x\xff'"), HasSubstr("f.yaml:1:4: expected text in UTF-8"));
  EXPECT_THAT(json("'x\xff': a"), HasSubstr("expected a key in UTF-8"));
}

TEST(yaml, aliases_do_not_unfold_without_end) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string inner = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + inner;
    for (int n = 0; n < 9; ++n)
      bomb += ", " + inner;
    bomb += "]\n";
  }
  EXPECT_THAT(json(bomb), HasSubstr("expected at most 200000 values"));
}

TEST(yaml, depth_is_bounded) {
  EXPECT_THAT(json(std::string(200, '[') + std::string(200, ']')), HasSubstr("fewer levels"));
}

}  // namespace
}  // namespace oarlock::plugin
