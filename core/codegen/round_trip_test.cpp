// Types that the build made of testdata/*.yaml: objects in, the same objects out.
#include <gtest/gtest.h>

#include "sea-sailor/config.hpp"
#include "test.example.com/v1/widget.hpp"
#include "test.example.com/v1/widget_spec.hpp"
#include "test.example.com/v1/widget_types_.hpp"
#include "test.example.com/v2beta1/widget.hpp"

namespace oarlock::sdk {
namespace {

using test_example_com::v1::widget;
namespace widget_types = test_example_com::v1::widget_types;

// The "object" that a spec of this JSON makes.
std::string with_spec(const std::string& spec) {
  return R"({"apiVersion":"test.example.com/v1","kind":"Widget","metadata":{"name":"w"},"spec":)" +
         spec + "}";
}

TEST(configuration, has_its_defaults_and_what_was_set) {
  const sea_sailor::config unset;
  EXPECT_EQ(unset.crew, 3);
  EXPECT_EQ(unset.rig, sea_sailor::config_types::rig::sloop);
  EXPECT_EQ(*unset.config->speed, 6.5);
  const auto set = from_json<sea_sailor::config>(
      R"({"home":"kiel","crew":4,"rig":"ketch","config":{"ballast":7},"ports":[{"name":"a"}],)"
      R"("flags":{"fast":true},"notes":{"any":1}})");
  EXPECT_EQ(set.home, "kiel");
  EXPECT_EQ(set.crew, 4);
  EXPECT_EQ(set.rig, sea_sailor::config_types::rig::ketch);
  EXPECT_EQ(set.config->ballast, 7);
  EXPECT_EQ(set.ports.at(0).name, "a");
  EXPECT_TRUE(set.flags.at("fast"));
}

class specs : public ::testing::TestWithParam<const char*> {};

TEST_P(specs, come_back_as_they_were) {
  const std::string text = with_spec(GetParam());
  const auto given = json::parse(text);
  const widget eager = from_json<widget>(text);
  const std::string back = to_json(eager);
  EXPECT_TRUE(json::parse(back) == given) << back;
  // Read when looked at: before anything was looked at, after all was, and as a copy.
  const schema::source source{&given};
  widget lazy;
  schema::read_struct(widget::schema(), &lazy, given, {nullptr, {}, 0, false, &source});
  EXPECT_TRUE(json::parse(to_json(lazy)) == given);
  const widget copy = lazy;
  EXPECT_TRUE(json::parse(to_json(copy)) == given);
  EXPECT_EQ(copy.spec.lent(), nullptr);
  (void)lazy.spec->name;
  EXPECT_TRUE(json::parse(to_json(lazy)) == given);
}

INSTANTIATE_TEST_SUITE_P(
    all, specs,
    ::testing::Values(
        R"({})", R"({"name":"a","count":0,"tags":[],"ratio":0})",
        R"({"name":"","count":-2147483648,"tags":["x",""],"ratio":1e300})",
        R"({"big":9223372036854775807,"ratio":3,"count":2147483647})",
        R"({"enabled":false,"replicas":7,"greeting":"","weight":0})",
        R"({"enabled":true,"replicas":1,"greeting":"say \"hello\"??/\n","weight":0.5})",
        R"({"enabled":null,"replicas":null,"name":null,"tags":null,"children":null})",
        R"({"port":80,"memory":"1Gi","since":"2026-03-01T12:00:00Z"})",
        R"({"port":"http","memory":2,"since":"","mode":""})",
        R"({"memory":0.5,"mode":"Newer","modes":["a","c"],"level":2})",
        R"({"mode":"3D","lowest":-9223372036854775808})",
        R"({"flags":[true,false],"matrix":[[1,2.5],[]],"labels":{},"lists":{"a":[1],"b":[]}})",
        R"({"labels":{"a":"b","":"c"},"holes":["x",null,""],"maybe":null})",
        R"({"children":[{"id":1,"nested":{}},{"nested":{"deep":"x","more":[1]}},{"id":2}]})",
        R"({"byName":{"a":{"size":1},"b":{}},"anything":[1,"x",{"y":null}],"empty":{}})",
        R"({"open":{"known":"a","other":{"b":[]}},"embedded":{"kind":"Pod","spec":{}}})",
        R"({"limits":{"cpu":1},"template":"t","class":"c","unknown":"u","schema":"s","$ref":"r"})",
        R"({"3scale":"x","with-dash":"1","with_dash":"2","new":{"a":[null]},"newer":null})",
        R"({"aFieldWithAVeryLongNameOfMoreThanSixtyCharactersInItself":{
             "anotherFieldWithALongName":{"a":"x"},"anotherFieldWithALongName2":{"b":"y"}}})"));

TEST(types, hold_what_the_schema_says) {
  const auto w = from_json<widget>(with_spec(
      R"({"name":"a","port":80,"memory":"1500m","mode":"Slow-2","since":"2026-03-01T12:00:00Z",
          "children":[{"id":3}],"byName":{"x":{"size":4}},"new":1})"));
  EXPECT_EQ(w.metadata->name, "w");
  EXPECT_EQ(*w.spec->port.number(), 80);
  EXPECT_EQ(w.spec->memory.value(), 2);
  EXPECT_EQ(w.spec->memory.milli_value(), 1500);
  EXPECT_EQ(w.spec->mode, widget_types::spec_mode::slow_2);
  EXPECT_EQ(w.spec->since.unix_ms(), 1772366400000);
  EXPECT_EQ(w.spec->children.at(0).id, 3);
  EXPECT_EQ(w.spec->by_name.at("x").size, 4);
  EXPECT_TRUE(w.spec->enabled);
  EXPECT_EQ(w.spec->replicas, 1);
  EXPECT_EQ(*w.spec->unknown.find("new"), "1");
  EXPECT_FALSE(w.status->phase);
  EXPECT_FALSE(w.status);
}

TEST(types, are_built_by_naming_what_is_wanted) {
  widget w{.metadata = object_meta{.name = "w"}, .spec = widget_types::spec{}};
  w.spec->name = "n";
  w.spec->mode = widget_types::spec_mode::template_;
  w.spec->port = "http";
  w.status->phase = "Ready";
  EXPECT_EQ(to_json(w),
            R"({"apiVersion":"test.example.com/v1","kind":"Widget","metadata":{"name":"w"},)"
            R"("spec":{"count":0,"mode":"template","name":"n","port":"http","ratio":0.0,)"
            R"("tags":[]},"status":{"phase":"Ready"}})");
}

TEST(types, of_kinds_whose_names_meet_stand_side_by_side) {
  namespace v1 = test_example_com::v1;
  const std::string head = R"({"apiVersion":"test.example.com/v1","kind":)";
  const std::string spec =
      head + R"("WidgetSpec","spec":{"template":{"template":["a","c"]},"std":"x","v1":"y",
      "widgetSpecTypes":{"a":"b"}},"template":{"mode":"b"},"fields":{"type":"t"},
      "type":{"fields":"f","self":"s"},"namesOf":{"mode":"a"},"std":{"a":"1","n":"2"},
      "oarlock":{"a":"1"},"widgetSpec":{"a":"2"},"widgetSpecTypes":{"mode":"a"},"mode":"b"})";
  const std::string types = head + R"("WidgetTypes","spec":{"mode":"b"}})";
  const std::string spec_back = to_json(from_json<v1::widget_spec>(spec));
  const std::string types_back = to_json(from_json<v1::widget_types_>(types));
  EXPECT_TRUE(json::parse(spec_back) == json::parse(spec)) << spec_back;
  EXPECT_TRUE(json::parse(types_back) == json::parse(types)) << types_back;
  v1::widget_spec w;
  w.spec->template_->template_.emplace_back(v1::widget_spec_types::spec_template_template_item::a);
  w.mode = v1::widget_spec_types::mode::b;
  EXPECT_EQ(w.mode, v1::widget_spec_types::mode::b);
  w.widget_spec->a = "as the struct that it is in";
}

TEST(types, read_a_default_and_write_what_was_set) {
  widget w;
  w.spec->name = "n";
  EXPECT_EQ(w.spec->replicas, 1);
  EXPECT_EQ(*w.spec->greeting, "say \"hello\"?\077/\n");
  EXPECT_FALSE(w.spec->replicas.has_value());
  EXPECT_EQ(to_json(w).find("replicas"), std::string::npos);
  w.spec->replicas = 1;
  w.spec->greeting = "hi";
  EXPECT_NE(to_json(w).find(R"("greeting":"hi")"), std::string::npos);
  EXPECT_NE(to_json(w).find(R"("replicas":1)"), std::string::npos);
}

struct bad_spec {
  const char* json;
  const char* message;
};
class bad_specs : public ::testing::TestWithParam<bad_spec> {};

std::string message_of(auto work) {
  try {
    work();
  } catch (const json::parse_error& e) {
    return e.what();
  }
  return "";
}

TEST_P(bad_specs, are_refused_with_the_path) {
  const std::string text = with_spec(GetParam().json);
  EXPECT_EQ(message_of([&] { (void)from_json<widget>(text); }), GetParam().message);
  const auto document = json::parse(text);
  const schema::source source{&document};
  EXPECT_EQ(message_of([&] {
              widget lazy;
              schema::read_struct(widget::schema(), &lazy, document,
                                  {nullptr, {}, 0, false, &source});
              const widget copied = lazy;
            }),
            GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    all, bad_specs,
    ::testing::Values(
        bad_spec{R"([])", "spec: expected an object, found a list"},
        bad_spec{R"({"name":1})", "spec.name: expected text, found the number 1"},
        bad_spec{R"({"count":2147483648})",
                 "spec.count: expected a 32-bit integer, found the number 2147483648"},
        bad_spec{R"({"count":1.5})", "spec.count: expected a 32-bit integer, found the number 1.5"},
        bad_spec{R"({"big":"1"})", R"(spec.big: expected a 64-bit integer, found the text "1")"},
        bad_spec{R"({"enabled":"yes"})",
                 R"(spec.enabled: expected true or false, found the text "yes")"},
        bad_spec{R"({"port":[]})", "spec.port: expected an integer or text, found a list"},
        bad_spec{R"({"memory":true})",
                 R"(spec.memory: expected a quantity like "500m" or "1Gi", found true)"},
        bad_spec{R"({"since":5})",
                 R"(spec.since: expected a time like "2026-03-01T12:00:00Z", found the number 5)"},
        bad_spec{R"({"tags":{}})", "spec.tags: expected a list, found an object"},
        bad_spec{R"({"tags":["a",2]})", "spec.tags[1]: expected text, found the number 2"},
        bad_spec{R"({"labels":{"a.b/c":null}})",
                 R"(spec.labels["a.b/c"]: expected text, found null)"},
        bad_spec{R"({"children":[{},{"id":"x"}]})",
                 R"(spec.children[1].id: expected a 64-bit integer, found the text "x")"},
        bad_spec{R"({"children":[{"nested":{"deep":1}}]})",
                 "spec.children[0].nested.deep: expected text, found the number 1"},
        bad_spec{R"({"byName":{"a":3}})",
                 "spec.byName.a: expected an object, found the number 3"}));

TEST(types, of_another_kind_or_version_are_refused) {
  EXPECT_EQ(message_of([] { (void)from_json<widget>(R"({"kind":"Gadget"})"); }),
            R"(kind: expected "Widget", found the text "Gadget")");
  EXPECT_EQ(message_of([] { (void)from_json<test_example_com::v2beta1::widget>(with_spec("{}")); }),
            R"(apiVersion: expected "test.example.com/v2beta1", found the text )"
            R"("test.example.com/v1")");
}

TEST(types, tell_what_is_required_and_missing) {
  const auto missing = [](const char* spec) {
    const auto document = json::parse(with_spec(spec));
    return message_of([&] { schema::check_required(widget::schema(), document, {}); });
  };
  EXPECT_EQ(missing(R"({"name":"","count":0,"tags":[],"ratio":0,"children":[{"id":1}]})"), "");
  EXPECT_EQ(missing(R"({"name":"","count":null,"tags":[],"ratio":0})"),
            "spec.count: expected a value (it is required), found none");
  EXPECT_EQ(missing(R"({"name":"","count":0,"tags":[],"ratio":0,"children":[{"id":1},{}]})"),
            "spec.children[1].id: expected a value (it is required), found none");
}

}  // namespace
}  // namespace oarlock::sdk
