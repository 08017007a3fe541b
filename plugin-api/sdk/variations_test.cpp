// The schema of a CRD as tests see it, and the objects that are made of it.
#include <gtest/gtest.h>

#include <map>

#include "oarlock/sdk/testing/variations.hpp"

namespace oarlock::sdk::testing {
namespace {

constexpr const char* schema_yaml = R"(
type: object
required: [spec]
properties:
  metadata: {type: object}
  status: {type: object, properties: {x: {type: integer}}}
  spec:
    type: object
    required: [image, code]
    properties:
      image: {type: string, minLength: 2, maxLength: 5}
      code: {type: string, pattern: '^[A-Z]{2}$'}
      count: {type: integer, minimum: 0, maximum: 10, default: 1}
      mode: {type: string, enum: [A, B]}
      on: {type: boolean}
      ports: {type: array, minItems: 1, maxItems: 2, items: {type: integer, minimum: 1}}
      size: {x-kubernetes-int-or-string: true}
      any: {type: object, x-kubernetes-preserve-unknown-fields: true}
      deep: {type: object, required: [a], properties: {a: {type: integer}, b: {type: string}}}
      labels: {type: object, additionalProperties: {type: string}}
      time: {type: string, format: date-time}
      maybe: {type: string, nullable: true}
)";

json::value yaml(const std::string& text) {
  return from_yaml(YAML::Load(text));
}

class varied : public ::testing::Test {
 protected:
  [[nodiscard]] std::string why(const std::string& spec) const {
    return refusal(schema_, yaml("{spec: " + spec + "}"));
  }
  const json::value schema_ = yaml(schema_yaml);
};

TEST_F(varied, what_a_schema_accepts_and_refuses) {
  for (const char* good :
       {"{image: ab, code: AB}", "{image: ab, code: AB, count: 0, mode: B, on: false}",
        "{image: ab, code: AB, ports: [1, 2], size: 5, any: {x: [1]}}",
        "{image: \"\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\", code: AB, size: 10%}",
        "{image: ab, code: AB, deep: {a: 1}, labels: {k: v}, maybe: null}"}) {
    EXPECT_EQ(why(good), "") << good;
  }
  for (const char* bad :
       {"text", "{}", "{image: ab}", "{image: a, code: AB}", "{image: abcdef, code: AB}",
        "{image: ab, code: ab}", "{image: 7, code: AB}", "{image: ab, code: AB, count: 11}",
        "{image: ab, code: AB, count: -1}", "{image: ab, code: AB, count: 1.5}",
        "{image: ab, code: AB, mode: C}", "{image: ab, code: AB, on: 1}",
        "{image: ab, code: AB, ports: []}", "{image: ab, code: AB, ports: [1, 2, 3]}",
        "{image: ab, code: AB, ports: [0]}", "{image: ab, code: AB, size: true}",
        "{image: ab, code: AB, deep: {b: x}}", "{image: ab, code: AB, labels: {k: 1}}",
        "{image: null, code: AB}"}) {
    EXPECT_NE(why(bad), "") << bad;
  }
}

TEST_F(varied, every_field_at_its_bounds_and_beyond) {
  const auto base = yaml("{metadata: {name: x}, spec: {image: ab, code: XY, count: 5}}");
  std::map<std::string, bool> made;
  for (const auto& one : variations(schema_, base)) {
    EXPECT_TRUE(made.emplace(one.what, one.is_valid).second) << one.what << " is made twice";
    EXPECT_EQ(refusal(schema_, one.object).empty(), one.is_valid) << one.what;
    EXPECT_EQ(detail::text_at(one.object, {"metadata", "name"}), "x");
  }
  for (const char* valid :
       {".spec.image changed", ".spec.image of its minLength 2", ".spec.image of its maxLength 5",
        ".spec.count removed", ".spec.count at its minimum 0", ".spec.count at its maximum 10",
        ".spec.count changed", ".spec.mode added", ".spec.mode as \"B\"", ".spec.on as false",
        ".spec.ports added", ".spec.ports with one item", ".spec.size added", ".spec.any added",
        ".spec.deep added", ".spec.time added", ".spec.labels added"}) {
    EXPECT_TRUE(made.contains(valid) && made[valid]) << valid;
  }
  for (const char* refused :
       {".spec removed", ".spec.image removed", ".spec.code removed", ".spec.image of another type",
        ".spec.image shorter than its minLength", ".spec.image longer than its maxLength",
        ".spec.count below its minimum", ".spec.count above its maximum",
        ".spec.mode outside of its enum", ".spec.ports with too few items",
        ".spec.ports with too many items", ".spec.size of another type"}) {
    EXPECT_TRUE(made.contains(refused) && !made[refused]) << refused;
  }
  EXPECT_FALSE(made.contains(".spec.code changed"));  // no value of its pattern can be guessed
  EXPECT_FALSE(made.contains(".status.x added"));
}

TEST_F(varied, an_object_that_is_wrong_already_is_an_error) {
  EXPECT_THROW((void)variations(schema_, yaml("{spec: {image: ab}}")), std::runtime_error);
}

}  // namespace
}  // namespace oarlock::sdk::testing
