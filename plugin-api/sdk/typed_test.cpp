// The small values of typed objects, metadata and nested objects; types that a generator made are
// tested in core/codegen.
#include "oarlock/sdk/typed/object_meta.hpp"

#include <gtest/gtest.h>

namespace oarlock::sdk {
namespace {

struct quantity_case {
  const char* text;
  std::optional<std::int64_t> value, milli;
};

TEST(quantities, are_numbers_rounded_up) {
  constexpr std::int64_t most = 9223372036854775807;
  const quantity_case cases[] = {
      {"0", 0, 0},
      {"2", 2, 2000},
      {"+2", 2, 2000},
      {"500m", 1, 500},
      {"1.5", 2, 1500},
      {"1.", 1, 1000},
      {".5", 1, 500},
      {"-1500m", -1, -1500},
      {"1n", 1, 1},
      {"1Ki", 1024, 1024000},
      {"1.5Gi", 1610612736, 1610612736000},
      {"1e3", 1000, 1000000},
      {"1E-3", 1, 1},
      {"5E", 5000000000000000000, std::nullopt},
      {"7Ei", 8070450532247928832, std::nullopt},
      {"8Ei", std::nullopt, std::nullopt},
      {"9223372036854775807", most, std::nullopt},
      {"9223372036854775808", std::nullopt, std::nullopt},
      {"99999999999999999999999999999999999999999", std::nullopt, std::nullopt},
      {"0.00000000000000000000000000000000000001", 1, 1},
      {"", std::nullopt, std::nullopt},
      {".", std::nullopt, std::nullopt},
      {"1.2.3", std::nullopt, std::nullopt},
      {"1 Gi", std::nullopt, std::nullopt},
      {"1gi", std::nullopt, std::nullopt},
      {"1e", std::nullopt, std::nullopt},
      {"1e999999999999", std::nullopt, std::nullopt},
      {"x", std::nullopt, std::nullopt}};
  for (const auto& one : cases) {
    EXPECT_EQ(quantity(one.text).value(), one.value) << one.text;
    EXPECT_EQ(quantity(one.text).milli_value(), one.milli) << one.text;
  }
}

TEST(timestamps, come_from_milliseconds_and_go_there) {
  EXPECT_EQ(timestamp::of_unix_ms(1772366400999).text(), "2026-03-01T12:00:00Z");
  EXPECT_EQ(timestamp::of_unix_ms(0).text(), "1970-01-01T00:00:00Z");
  EXPECT_EQ(timestamp("2026-03-01T12:00:00Z").unix_ms(), 1772366400000);
  EXPECT_EQ(timestamp("yesterday").unix_ms(), std::nullopt);
  EXPECT_FALSE(timestamp());
}

TEST(any_json, is_text_and_value) {
  EXPECT_FALSE(any_json());
  const any_json made(json::object({{"a", 1}}));
  EXPECT_EQ(made.text(), R"({"a":1})");
  EXPECT_EQ(made.value(), json::object({{"a", 1}}));
  EXPECT_THROW((void)any_json::of_text("{").value(), json::parse_error);
}

TEST(nested, is_read_when_absent_and_made_when_written) {
  nested<object_meta> meta;
  const auto& lasting = meta;
  EXPECT_FALSE(lasting->name);
  EXPECT_FALSE(meta.has_value());
  meta->name = "a";
  ASSERT_TRUE(meta.has_value());
  nested<object_meta> copy = meta;
  copy->name = "b";
  EXPECT_EQ(meta->name, "a");
  meta = std::move(copy);
  EXPECT_EQ(meta->name, "b");
  meta.reset();
  EXPECT_FALSE(meta);
}

TEST(object_meta, keeps_what_it_does_not_name) {
  const std::string text =
      R"({"name":"a","namespace":"b","labels":{"x":"y"},"generateName":"","selfLink":"/a",)"
      R"("creationTimestamp":null,"ownerReferences":[{"kind":"B","name":"c","more":[1]}]})";
  const auto meta = from_json<object_meta>(text);
  EXPECT_EQ(meta.label("x"), "y");
  EXPECT_EQ(meta.label("z"), "");
  EXPECT_EQ(meta.owner_references.at(0).kind, "B");
  EXPECT_TRUE(json::parse(to_json(meta)) == json::parse(text)) << to_json(meta);
}

}  // namespace
}  // namespace oarlock::sdk
