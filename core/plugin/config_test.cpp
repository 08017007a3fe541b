#include "core/plugin/config.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "core/json/parse.hpp"
#include "core/plugin/config_schema.hpp"
#include "core/plugin/errors.hpp"

namespace oarlock::plugin {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* sailor = R"({"type":"object","required":["home"],"properties":{
  "home":{"type":"string","minLength":1,"maxLength":5,"pattern":"^[a-z]+$"},
  "crew":{"type":"integer","format":"int32","default":3,"minimum":1,"maximum":40},
  "miles":{"type":"integer"},"small":{"type":"integer","format":"int32"},
  "rig":{"type":"string","enum":["sloop","ketch"],"default":"sloop"},
  "fast":{"type":"boolean"},"speed":{"type":"number","minimum":0.5},
  "engine":{"type":"object","default":{},"properties":{"on":{"type":"boolean","default":true},
    "power":{"type":"integer"}}},
  "ports":{"type":"array","minItems":1,"maxItems":2,"items":{"type":"object","required":["name"],
    "properties":{"name":{"type":"string"},"depth":{"type":"integer","default":4}}}},
  "flags":{"type":"object","additionalProperties":{"type":"boolean"}},
  "notes":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}})";

std::string fault_of(const std::string& schema) {
  const auto parsed = json::parse(schema);
  EXPECT_TRUE(parsed) << schema;
  const auto wrong = fault_of_schema(*parsed);
  return wrong ? path_text(wrong->path) + ": " + wrong->message : "";
}

TEST(config_schema, a_good_one_has_no_fault) {
  EXPECT_EQ(fault_of(sailor), "");
  EXPECT_EQ(fault_of(R"({"type":"object"})"), "");
}

TEST(config_schema, faults_are_named_with_their_place) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", ": expected a schema, found a list"},
      {"{}", "type: expected object, array, string, integer, number or boolean"},
      {R"({"type":"string"})", "type: expected type: object, as a configuration is a map"},
      {R"({"type":"object","properties":{"a":{"type":"text"}}})",
       "properties.a.type: expected object, array, string, integer, number or boolean, found "
       "\"text\""},
      {R"({"type":"object","properties":{"a":{"type":"integer","minLength":1}}})",
       "properties.a.minLength: unknown word \"minLength\" in the schema of a configuration; of "
       "type integer it may have type, description, default, minimum, maximum, format"},
      {R"({"type":"object","properties":{"a":{"type":"integer","format":"int16"}}})",
       "properties.a.format: expected int32 or int64"},
      {R"({"type":"object","properties":{"a":{"type":"integer","minimum":2,"maximum":1}}})",
       "properties.a.maximum: expected at least minimum"},
      {R"({"type":"object","properties":{"a":{"type":"integer","minimum":1.5}}})",
       "properties.a.minimum: expected an integer"},
      {R"({"type":"object","properties":{"a":{"type":"string","pattern":"("}}})",
       "properties.a.pattern: expected an ECMAScript regular expression, found \"(\""},
      {R"({"type":"object","properties":{"a":{"type":"string","enum":[]}}})",
       "properties.a.enum: expected a list of texts"},
      {R"({"type":"object","properties":{"a":{"type":"string","enum":["x",1]}}})",
       "properties.a.enum: expected a list of texts"},
      {R"({"type":"object","properties":{"a":{"type":"string","minLength":-1}}})",
       "properties.a.minLength: expected a number from 0 on"},
      {R"({"type":"object","properties":{"a":{"type":"array"}}})", "properties.a: expected items"},
      {R"({"type":"object","properties":{"a":{"type":"array","items":{"type":"x"}}}})",
       "properties.a.items.type: expected"},
      {R"({"type":"object","required":["b"],"properties":{"a":{"type":"string"}}})",
       "required: expected names of properties (a), found \"b\""},
      {R"({"type":"object","properties":{},"additionalProperties":{"type":"string"}})",
       ": expected one of properties, additionalProperties"},
      {R"({"type":"object","additionalProperties":false})",
       "additionalProperties: expected a schema, found false"},
      {R"({"type":"object","properties":{"a":{"type":"integer","maximum":5,"default":6}}})",
       "properties.a.default: expected the configuration to be an integer of at most 5, found 6"},
      {R"({"type":"object","properties":{"a":{"type":"object","default":{"b":1},"properties":{
          "b":{"type":"string"}}}}})",
       "properties.a.default.b: expected b to be text, found 1"}};
  for (const auto& [schema, message] : cases)
    EXPECT_THAT(fault_of(schema), HasSubstr(message)) << schema;
}

TEST(config_schema, keys_are_told_in_words) {
  std::string told;
  for (const auto& key : keys_of_schema(*json::parse(sailor))) {
    told += key.path + ": " + key.type + (key.is_required ? "; required" : "") +
            (key.fallback.empty() ? "" : "; default " + key.fallback) + "\n";
  }
  EXPECT_EQ(told,
            "home: text (characters from 1 to 5) that matches ^[a-z]+$; required\n"
            "crew: a 32-bit integer from 1 to 40; default 3\n"
            "miles: an integer\n"
            "small: a 32-bit integer\n"
            "rig: one of sloop, ketch; default \"sloop\"\n"
            "fast: true or false\n"
            "speed: a number of at least 0.5\n"
            "engine.on: true or false; default true\n"
            "engine.power: an integer\n"
            "ports: a list (items from 1 to 2)\n"
            "ports[].name: text; required\n"
            "ports[].depth: an integer; default 4\n"
            "flags.<key>: true or false\n"
            "notes: a map of anything\n");
  EXPECT_TRUE(keys_of_schema(*json::parse(R"({"type":"object"})")).empty());
}

TEST(config_schema, is_bounded) {
  std::string deep = R"({"type":"object"})";
  for (int i = 0; i < 15; ++i)
    deep = R"({"type":"object","properties":{"a":)" + deep + "}}";
  EXPECT_EQ(fault_of(deep), "");
  for (int i = 0; i < 5; ++i)
    deep = R"({"type":"object","properties":{"a":)" + deep + "}}";
  EXPECT_THAT(fault_of(deep), HasSubstr("levels"));
  std::string wide = R"({"type":"object","properties":{)";
  for (int i = 0; i < 1100; ++i)
    wide += "\"f" + std::to_string(i) + R"(":{"type":"string"},)";
  wide.back() = '}';
  EXPECT_THAT(fault_of(wide + "}"), HasSubstr("at most 1000 fields"));
}

class config : public ::testing::Test {
 protected:
  config() {
    std::string name = (fs::temp_directory_path() / "oarlock-config-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    declared_.name = "sailor";
    declared_.config_schema = sailor;
  }
  ~config() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string of_json(const std::string& json) const {
    const auto made = check_config(declared_, json);
    return made ? *made : made.error().message;
  }
  [[nodiscard]] std::string of_file(const std::string& yaml) const {
    std::ofstream(folder_ / "sailor.yaml") << yaml;
    config_table table;
    EXPECT_TRUE(table.add("sailor=" + (folder_ / "sailor.yaml").string()));
    const auto given = table.of("sailor", "{}");
    EXPECT_TRUE(given) << given.error().message;
    const auto made = check_config(declared_, *given);
    if (made) return *made;
    EXPECT_EQ(made.error().code, plugin_error::bad_config);
    return made.error().message.substr(folder_.string().size() + 1);
  }

  manifest declared_;
  fs::path folder_;
};

TEST_F(config, gets_the_defaults_of_its_schema) {
  EXPECT_EQ(of_json(R"({"home":"kiel"})"),
            R"({"home":"kiel","crew":3,"rig":"sloop","engine":{"on":true}})");
  EXPECT_EQ(of_json(R"({"crew":40,"engine":{"on":false},"home":"kiel","rig":"ketch"})"),
            R"({"crew":40,"engine":{"on":false},"home":"kiel","rig":"ketch"})");
  EXPECT_EQ(of_json(R"({"home":"a","crew":1,"rig":"ketch","engine":{"power":2},
                        "ports":[{"name":"x"}],"flags":{"a":true},"notes":{"b":[null,{}]}})"),
            R"({"home":"a","crew":1,"rig":"ketch","engine":{"power":2,"on":true},)"
            R"("ports":[{"name":"x","depth":4}],"flags":{"a":true},"notes":{"b":[null,{}]}})");
}

TEST_F(config, mistakes_are_named_with_file_line_and_field) {
  const std::pair<const char*, const char*> cases[] = {
      {"home: kiel\ncrew: 41\n",
       "sailor.yaml:2:7: expected crew to be a 32-bit integer from 1 to 40, found 41"},
      {"home: kiel\ncrew: '4'\n",
       "sailor.yaml:2:7: expected crew to be a 32-bit integer from 1 to 40, found \"4\""},
      {"home: kiel\nsmall: 3000000000\n",
       "expected small to be a 32-bit integer, found 3000000000"},
      {"home: kiel\nmiles: 1.5\n", "expected miles to be an integer, found 1.5"},
      {"home: Kiel\n",
       "sailor.yaml:1:7: expected home to be text (characters from 1 to 5) that "
       "matches ^[a-z]+$, found \"Kiel\""},
      {"home: toolong\n", "expected home to be text (characters from 1 to 5)"},
      {"crew: 3\n", "sailor.yaml:1:1: expected the key \"home\" in the configuration, found none"},
      {"", "expected the key \"home\" in the configuration, found none"},
      {"# nothing\n", "expected the key \"home\" in the configuration, found none"},
      {"home: kiel\nrig: yawl\n", "expected rig to be one of sloop, ketch, found \"yawl\""},
      {"home: kiel\nfast: 1\n", "expected fast to be true or false, found 1"},
      {"home: kiel\nspeed: 0.25\n", "expected speed to be a number of at least 0.5, found 0.25"},
      {"home: kiel\nengine: 5\n", "expected engine to be a map, found 5"},
      {"home: kiel\nengine:\n  on: true\n  power: many\n",
       "sailor.yaml:4:10: expected engine.power to be an integer, found \"many\""},
      {"home: kiel\nports: []\n", "expected ports to be a list (items from 1 to 2), found a list"},
      {"home: kiel\nports:\n- name: a\n- depth: 2\n",
       "sailor.yaml:4:3: expected the key \"name\" in ports[1], found none"},
      {"home: kiel\nflags: {a: 1}\n", "expected flags.a to be true or false, found 1"},
      {"home: kiel\ncerw: 3\n",
       "sailor.yaml:2:7: unknown key \"cerw\"; known here are home, crew,"},
      {"- home\n", "sailor.yaml:1:1: expected the configuration to be a map, found a list"},
      {"home: [\n", "sailor.yaml:2:1: expected YAML, found"},
      {"home: kiel\nhome: kiel\n", "expected each key once, found \"home\" twice"},
      {"home: null\n", "expected home to be text"}};
  for (const auto& [yaml, message] : cases)
    EXPECT_THAT(of_file(yaml), HasSubstr(message)) << yaml;
  EXPECT_THAT(of_json(R"({"home":"kiel","crew":0})"),
              HasSubstr("configuration of plugin sailor: expected crew to be"));
  EXPECT_THAT(of_json("{"), HasSubstr("configuration of plugin sailor: "));
}

TEST_F(config, of_a_plugin_without_a_schema_is_empty) {
  declared_.config_schema.clear();
  EXPECT_EQ(of_json("{}"), "{}");
  EXPECT_EQ(of_file(""), "{}");
  EXPECT_THAT(of_file("a: 1\n"), HasSubstr("expected none, as plugin sailor has no "
                                           "spec.configSchema in its plugin.yaml, found one"));
}

TEST_F(config, files_are_chosen_by_plugin_and_read_anew) {
  config_table table;
  for (const char* bad : {"", "sailor", "=x", "sailor="})
    EXPECT_THAT(table.add(bad).error().message, HasSubstr("expected PLUGIN=FILE")) << bad;
  const auto file = (folder_ / "one.yaml").string();
  ASSERT_TRUE(table.add("sailor=" + file));
  EXPECT_EQ(table.entries(), std::vector<std::string>{"sailor=" + file});
  EXPECT_EQ(table.of("other", R"({"a":1})")->text, R"({"a":1})");
  const auto missing = table.of("sailor", "{}");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message,
              HasSubstr("configuration of plugin sailor: " + file + ": expected a file"));
  EXPECT_EQ(table.text_of("sailor"), "");
  const auto before = table.all_texts();
  std::ofstream(file) << "home: kiel\n";
  EXPECT_EQ(table.text_of("sailor"), "home: kiel\n");
  EXPECT_NE(table.all_texts(), before);
  EXPECT_EQ(table.text_of("other"), "");
}

}  // namespace
}  // namespace oarlock::plugin
