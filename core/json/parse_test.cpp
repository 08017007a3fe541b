#include "core/json/parse.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "core/base/limits.hpp"

namespace oarlock::json {
namespace {

using testing::HasSubstr;

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

struct refused {
  std::string name;
  std::string text;
  json_error code;
  std::string says;
};

class parse_refuses : public testing::TestWithParam<refused> {};

TEST_P(parse_refuses, with_code_and_place) {
  const auto got = parse(GetParam().text);
  ASSERT_TRUE(got.has_error());
  EXPECT_EQ(got.error().code, GetParam().code) << got.error().message;
  EXPECT_THAT(got.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    table, parse_refuses,
    testing::Values(
        refused{"empty", "", json_error::syntax, "the end of the text at byte 0"},
        refused{"cut", R"({"a":)", json_error::syntax, "at byte 5"},
        refused{"cut_string", R"({"a":"b)", json_error::syntax, "closing quotation"},
        refused{"trailing_text", "{} x", json_error::syntax, "found 'x' at byte 3"},
        refused{"trailing_nul", std::string("{}\0x", 4), json_error::syntax, "at byte 2"},
        refused{"nul_in_string", std::string("[\"a\0b\"]", 7), json_error::syntax, "at byte 3"},
        refused{"trailing_comma", "[1,]", json_error::syntax, "at byte 3"},
        refused{"comment", "/* */ 1", json_error::syntax, "at byte 0"},
        refused{"bom", "\xef\xbb\xbf{}", json_error::syntax, "at byte 0"},
        refused{"nan", "NaN", json_error::syntax, "'NaN'"},
        refused{"too_big_number", "1e400", json_error::syntax, "too big"},
        refused{"invalid_utf8", "[\"\xc3\x28\"]", json_error::syntax, "encoding"},
        refused{"overlong_utf8", "[\"\xc0\xaf\"]", json_error::syntax, "encoding"},
        refused{"lone_surrogate", R"(["\ud800"])", json_error::syntax, "surrogate"},
        refused{"too_deep", nested(limits::json_depth_max + 1), json_error::too_deep, "128 levels"},
        refused{"far_too_deep", nested(100000), json_error::too_deep, "128 levels"},
        refused{"duplicate", R"({"a":1,"b":2,"a":3})", json_error::duplicate_key,
                "found one twice"},
        refused{"nested_duplicate", R"({"x":{"a":1,"a":1}})", json_error::duplicate_key, "twice"},
        refused{"escaped_duplicate", R"({"a":1,"\u0061":1})", json_error::duplicate_key, "twice"}),
    [](const auto& row) { return row.param.name; });

TEST(parse, refuses_more_bytes_than_a_body_may_have) {
  const auto got = parse(std::string(limits::response_body_bytes_max + 1, ' '));
  ASSERT_TRUE(got.has_error());
  EXPECT_EQ(got.error().code, json_error::too_large);
}

struct kept {
  std::string text;
  std::string written;
};

class parse_and_write : public testing::TestWithParam<kept> {};

TEST_P(parse_and_write, keeps_the_value) {
  const auto got = parse(GetParam().text);
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(write(*got), GetParam().written);
}

INSTANTIATE_TEST_SUITE_P(
    table, parse_and_write,
    testing::Values(kept{" { \"a\" : [ 1 , null , true ] } ", R"({"a":[1,null,true]})"},
                    kept{"9223372036854775807", "9223372036854775807"},
                    kept{"-9223372036854775808", "-9223372036854775808"},
                    kept{"18446744073709551615", "18446744073709551615"},
                    kept{"9007199254740993", "9007199254740993"}, kept{"0.1", "0.1"},
                    kept{"0.7000000000000001", "0.7000000000000001"},
                    kept{"0." + std::string(300, '0') + "1e-2147483600", "0.0"},
                    kept{R"("\u003c\ud83d\ude00\u0000\n")", "\"<\xf0\x9f\x98\x80\\u0000\\n\""},
                    kept{R"({"a":{"a":1},"b":{"a":1}})", R"({"a":{"a":1},"b":{"a":1}})"},
                    kept{nested(limits::json_depth_max), nested(limits::json_depth_max)}));

TEST(write, says_when_a_value_cannot_be_json) {
  rapidjson::Value infinite(std::numeric_limits<double>::infinity());
  EXPECT_EQ(write(infinite), "");
  rapidjson::Value not_utf8("\xc3\x28");
  EXPECT_EQ(write(not_utf8), "");
  rapidjson::Document deep;
  deep.SetArray();
  for (std::size_t i = 0; i < limits::json_depth_max; ++i) {
    rapidjson::Value outer(rapidjson::kArrayType);
    outer.PushBack(static_cast<rapidjson::Value&>(deep).Move(), deep.GetAllocator());
    static_cast<rapidjson::Value&>(deep) = outer;
  }
  EXPECT_EQ(write(deep), "");
}

TEST(find, walks_json_pointers) {
  const auto root = *parse(R"({"a":{"b":["x",{"c":7}],"d/e":"slash","f~g":"tilde","":"none"},
                              "n":9223372036854775808,"t":true,"s":"text"})");
  EXPECT_EQ(string_at(root, "/a/b/0"), "x");
  EXPECT_EQ(int_at(root, "/a/b/1/c"), 7);
  EXPECT_EQ(string_at(root, "/a/d~1e"), "slash");
  EXPECT_EQ(string_at(root, "/a/f~0g"), "tilde");
  EXPECT_EQ(string_at(root, "/a/"), "none");
  EXPECT_EQ(bool_at(root, "/t"), true);
  EXPECT_EQ(find(root, ""), &root);
  EXPECT_EQ(find(root, "a"), nullptr);
  EXPECT_EQ(find(root, "/a/b/2"), nullptr);
  EXPECT_EQ(find(root, "/a/b/-1"), nullptr);
  EXPECT_EQ(find(root, "/a/b/0x"), nullptr);
  EXPECT_EQ(find(root, "/s/deeper"), nullptr);
  EXPECT_EQ(int_at(root, "/n"), std::nullopt) << "2^63 does not fit";
  EXPECT_EQ(int_at(root, "/s"), std::nullopt);
  EXPECT_EQ(bool_at(root, "/s"), std::nullopt);
  EXPECT_EQ(string_at(root, "/t"), "");
}

TEST(parse, refuses_half_of_a_surrogate_pair) {
  for (const auto* text :
       {R"("\udc00")", R"("\ud800")", R"({"\udfff":1})", R"(["a\ud83dz"])", R"("\udbff\udbff")"}) {
    const auto got = parse(text);
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code, json_error::syntax) << text;
  }
  EXPECT_TRUE(parse(R"(["\ud83d\ude00","\ud7ff","\ue000"])"));
}

TEST(parse, reads_numbers_by_value) {
  const struct {
    const char* text;
    double value;
  } cases[] = {{"0e111", 0},
               {"0e300", 0},
               {"-0e200", 0},
               {"0.000e308", 0},
               {"0.0e-300", 0},
               {"1e-400", 0},
               {"5e-324", 5e-324},
               {"1e308", 1e308},
               {"0.1e1", 1},
               {"1E+2", 100},
               {"-2.5", -2.5},
               {"-0", 0},
               {"123456789012345678901234567890", 123456789012345678901234567890.0}};
  for (const auto& c : cases) {
    const auto got = parse(c.text);
    ASSERT_TRUE(got) << c.text << ": " << got.error().message;
    EXPECT_EQ(got->GetDouble(), c.value) << c.text;
  }
  EXPECT_EQ(parse("-9223372036854775808")->GetInt64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(parse("18446744073709551615")->GetUint64(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_TRUE(parse("80")->IsInt());
  EXPECT_TRUE(parse("80")->IsUint());
  EXPECT_FALSE(parse("80.0")->IsInt());
}

}  // namespace
}  // namespace oarlock::json
