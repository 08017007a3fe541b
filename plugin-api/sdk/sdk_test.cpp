// The C++ SDK: text, JSON to read, JSON to write.
#include <gtest/gtest.h>

#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/json_value.hpp"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {
namespace {

TEST(text, empty_views_need_no_pointer) {
  EXPECT_EQ(to_text(oarlock_str_view{nullptr, 0}), "");
  EXPECT_EQ(to_text(to_bytes("abc")), "abc");
}

TEST(text, shorten_keeps_characters_whole) {
  EXPECT_EQ(shorten("abc", 3), "abc");
  EXPECT_EQ(shorten("abcdef", 5), "ab...");
  EXPECT_EQ(shorten("ab\xc3\xbc\xc3\xbc\xc3\xbc", 6), "ab...");
  EXPECT_EQ(shorten("ab\xc3\xbc\xc3\xbc\xc3\xbc", 7), "ab\xc3\xbc...");
  EXPECT_EQ(shorten("abcdef", 2), "");
}

TEST(text, times_of_the_api_server) {
  EXPECT_EQ(to_unix_ms("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(to_unix_ms("2026-03-01T12:00:10Z"), 1772366410000);
  EXPECT_EQ(to_unix_ms("2026-03-01T12:00:10.123456Z"), 1772366410000);
  for (const char* bad :
       {"", "yesterday", "2026-03-01", "2026-02-30T00:00:00Z", "2026-03-01T24:00:00Z",
        "2026-03-01T12:00:10+01:00", "2026-03-01 12:00:10Z", "2026-0x-01T12:00:10Z"}) {
    EXPECT_EQ(to_unix_ms(bad), std::nullopt) << bad;
  }
}

TEST(json_read, steps_into_nowhere_are_safe) {
  const auto document = json::parse(R"({"a":{"b":[1,"x",null]},"n":7,"t":true,"d":1.5})");
  const json::node root(&document);
  EXPECT_EQ(root["n"].integer(), 7);
  EXPECT_TRUE(root["t"].boolean());
  EXPECT_EQ(root["d"].integer(3), 3);
  EXPECT_EQ(root["a"]["b"].size(), 3U);
  EXPECT_FALSE(root["x"]["y"]["z"].exists());
  EXPECT_EQ(root["n"]["y"].text("none"), "none");
  EXPECT_EQ(root["x"].integer(-1), -1);
  int items = 0;
  for (const json::node item : root["a"]["b"])
    items += item.exists() ? 1 : 0;
  EXPECT_EQ(items, 2);
  for (const json::node item : root["n"])
    ADD_FAILURE() << item.text();
}

TEST(json_read, refuses_what_is_not_json) {
  for (const char* bad : {"", "{", "{}x", "{\"a\":\"\xff\"}", "nul", "[1,]"}) {
    EXPECT_THROW((void)json::parse(bad), json::parse_error) << bad;
  }
}

TEST(json_read, depth_is_bounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW((void)json::parse(nested(json::depth_max)));
  EXPECT_THROW((void)json::parse(nested(json::depth_max + 1)), json::parse_error);
  EXPECT_THROW((void)json::parse(std::string(1'000'000, '[')), json::parse_error);
}

TEST(json_write, reads_like_yaml) {
  auto value = json::object({
      {"name", "web"},
      {"count", 3},
      {"big", std::int64_t{5'000'000'000}},
      {"on", true},
      {"none", nullptr},
      {"share", 0.5},
      {"list", json::array({1, "two", json::object({{"three", 3}})})},
      {"nested", json::array({json::array({1})})},
      {"empty", json::object({})},
  });
  EXPECT_EQ(value.text(),
            R"({"name":"web","count":3,"big":5000000000,"on":true,"none":null,"share":0.5,)"
            R"("list":[1,"two",{"three":3}],"nested":[[1]],"empty":{}})");
  value.set("name", "\"quoted\" \xc3\xbc");
  value.erase("list");
  ASSERT_NE(value.find("name"), nullptr);
  EXPECT_EQ(*value.find("name")->as_text(), "\"quoted\" \xc3\xbc");
  EXPECT_EQ(value.find("list"), nullptr);
  json::value grown;
  grown.push(1).push(2);
  EXPECT_EQ(grown.text(), "[1,2]");
}

TEST(json_write, copy_is_the_same) {
  const char* text = R"({"a":[1,-2,2.5,"x",null,true,{"b":[]}],"c":{}})";
  const auto document = json::parse(text);
  EXPECT_EQ(json::copy(json::node(&document)).text(), text);
  EXPECT_EQ(json::copy(json::node()), json::value());
}

TEST(plan_input, objects_lie_a_stride_apart) {
  // A newer host's objects are longer than these headers know.
  struct newer {
    oarlock_object_view view;
    std::uint64_t later;
  };
  const std::string one = R"({"metadata":{"name":"one"}})", two = R"({"metadata":{"name":"two"}})";
  const auto view = [](const std::string& json) {
    return oarlock_object_view{sizeof(newer), OARLOCK_ENCODING_JSON, to_view("pods"),
                               to_bytes(json)};
  };
  const newer objects[] = {{view(one), 1}, {view(two), 2}};
  oarlock_plan_view given{};
  given.struct_size = sizeof(given);
  given.object_stride = sizeof(newer);
  given.primary = &objects[0].view;
  given.owned = &objects[0].view;
  given.owned_count = 2;
  const plan_input input(given);
  ASSERT_EQ(input.owned().size(), 2U);
  EXPECT_EQ(input.owned()[1].name(), "two");
  EXPECT_EQ(input.owned("pods", "two"), &input.owned()[1]);
  EXPECT_EQ(input.owned("pods", "three"), nullptr);
  EXPECT_TRUE(input.watched().empty());
  EXPECT_FALSE(input.last_failure());
}

TEST(plan_input, an_object_that_is_no_json_throws_when_it_is_read) {
  oarlock_object_view bad{sizeof(bad), OARLOCK_ENCODING_JSON, to_view("pods"), to_bytes("{")};
  const object broken(bad);
  EXPECT_EQ(broken.resource(), "pods");
  EXPECT_THROW((void)broken.name(), json::parse_error);
  bad.encoding = 9;
  EXPECT_THROW((void)object(bad).name(), json::parse_error);
}

}  // namespace
}  // namespace oarlock::sdk
