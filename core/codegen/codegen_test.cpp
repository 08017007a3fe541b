#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "core/codegen/generate.hpp"
#include "core/codegen/names.hpp"

namespace oarlock::codegen {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(names, become_identifiers) {
  const std::pair<const char*, const char*> cases[] = {{"replicas", "replicas"},
                                                       {"readyReplicas", "ready_replicas"},
                                                       {"clusterIP", "cluster_ip"},
                                                       {"clusterIPs", "cluster_ips"},
                                                       {"podCIDRs", "pod_cidrs"},
                                                       {"HTTPGetAction", "http_get_action"},
                                                       {"IPFamilies", "ip_families"},
                                                       {"requireIPv6", "require_ipv6"},
                                                       {"template", "template_"},
                                                       {"x-kubernetes-y", "x_kubernetes_y"},
                                                       {"$ref", "ref"},
                                                       {"3scale", "n3scale"},
                                                       {"_x__y_", "x_y"},
                                                       {"", "empty"},
                                                       {"*", "other"},
                                                       {"MyApp", "my_app"},
                                                       {"cert-manager.io", "cert_manager_io"},
                                                       {"errno", "errno_"},
                                                       {"v1Beta2", "v1_beta2"},
                                                       {"\xC3\xA4", "other"}};
  for (const auto& [name, expected] : cases)
    EXPECT_EQ(identifier(name), expected) << name;
}

TEST(names, of_kinds_and_of_their_parts_never_meet) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"MyApp", "my_app", "my_app_types"},
      {"MyAppTypes", "my_app_types_", "my_app_types_types"},
      {"Template", "template_", "template_types"},
      {"TemplateTypes", "template_types_", "template_types_types"},
      {"Types", "types", "types_types"},
      {"Std", "std_", "std_types"},
      {"Oarlock", "oarlock_", "oarlock_types"}};
  for (const auto& [kind, type, parts] : cases) {
    EXPECT_EQ(struct_name(kind), type);
    EXPECT_EQ(parts_namespace(kind), parts);
  }
}

TEST(names, of_parts_are_joined) {
  EXPECT_EQ(part_name("", "spec"), "spec");
  EXPECT_EQ(part_name("", "template"), "template_");
  EXPECT_EQ(part_name("template_", "spec"), "template_spec");
  EXPECT_EQ(part_name("spec", "template"), "spec_template");
  EXPECT_EQ(part_name("spec", "3scale"), "spec_n3scale");
  EXPECT_EQ(part_name("static", "assert"), "static_assert_");
}

TEST(names, are_taken_once) {
  std::set<std::string> taken;
  EXPECT_EQ(unused_name("a", taken), "a");
  EXPECT_EQ(unused_name("a", taken), "a_2");
  EXPECT_EQ(unused_name("a", taken), "a_3");
}

TEST(names, doc_comments_fit_and_end) {
  EXPECT_EQ(doc_comment("", 2), "");
  EXPECT_EQ(doc_comment(" a\n\n b ", 2), "  /// a b\n");
  EXPECT_EQ(doc_comment("ends in a \\", 0), "/// ends in a \\.\n");
  std::string longest;
  for (int i = 0; i < 1000; ++i)
    longest += "word" + std::to_string(i) + (i % 50 == 7 ? std::string(300, 'x') : "") + " ";
  const std::string doc = doc_comment(longest, 2);
  EXPECT_EQ(std::count(doc.begin(), doc.end(), '\n'), 12);
  EXPECT_TRUE(doc.ends_with(" ...\n")) << doc;
  std::istringstream lines(doc);
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(line.size(), 100U) << line;
}

class codegen : public ::testing::Test {
 protected:
  codegen() {
    std::string name = (fs::temp_directory_path() / "oarlock-codegen-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~codegen() override { fs::remove_all(folder_); }
  fs::path write(const std::string& text) {
    std::ofstream(folder_ / "crd.yaml") << text;
    return folder_ / "crd.yaml";
  }
  std::string refusal(const std::string& text) {
    const auto made = types_of_crd(write(text));
    return made ? "" : made.error().message.substr(folder_.string().size() + 1);
  }
  fs::path folder_;
};

TEST_F(codegen, makes_the_same_of_the_same_a_file_for_each_version) {
  const fs::path crd = fs::path(OARLOCK_SOURCE_DIR) / "core/codegen/testdata/widgets.yaml";
  const auto first = types_of_crd(crd), second = types_of_crd(crd);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ(first->at(0).name, "test.example.com/v1/widget.hpp");
  EXPECT_EQ(first->at(1).name, "test.example.com/v2beta1/widget.hpp");
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(first->at(i).text, second->at(i).text);
    std::istringstream lines(first->at(i).text);
    for (std::string line; std::getline(lines, line);)
      EXPECT_LE(line.size(), 100U) << line;
  }
}

TEST_F(codegen, makes_a_struct_of_what_may_be_configured) {
  const fs::path folder = fs::path(OARLOCK_SOURCE_DIR) / "core/codegen/testdata";
  const auto made = types_of_file(folder / "sailor.yaml");
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(made->size(), 1U);
  EXPECT_EQ(made->at(0).name, "sea-sailor/config.hpp");
  EXPECT_EQ(types_of_file(folder / "widgets.yaml")->size(), 2U);
  EXPECT_THAT(types_of_manifest(folder / "widgets.yaml").error().message,
              HasSubstr("expected manifest.apiVersion"));
  const auto none = types_of_file(fs::path(OARLOCK_SOURCE_DIR) / "plugins/myapp/plugin.yaml");
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_TRUE(none->empty());
}

TEST_F(codegen, writes_only_what_changed) {
  const std::vector<generated_file> files{{"a/b.hpp", "text"}};
  EXPECT_TRUE(*write_files(files, folder_));
  EXPECT_FALSE(*write_files(files, folder_));
  EXPECT_TRUE(*write_files({{"a/b.hpp", "other"}}, folder_));
  std::ofstream(folder_ / "file") << "";
  EXPECT_FALSE(write_files(files, folder_ / "file"));
}

constexpr const char* head = R"(apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: example.com
  names: {kind: Cat, plural: cats}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
)";

TEST_F(codegen, refuses_schemas_it_does_not_know_with_line_and_path) {
  const std::pair<const char*, const char*> cases[] = {
      {"                a: {type: text}\n",
       "crd.yaml:15:27: spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.a.type: "
       "expected string, boolean, integer, number, array or object, found \"text\""},
      {"                a: {type: integer, format: int16}\n",
       "a.format: expected int32 or int64, found \"int16\""},
      {"                a: {type: string, enum: [x, 1]}\n",
       "a.enum[1]: expected text, found 1; put it into quotes"},
      {"                a: {type: string, enum: []}\n", "a.enum: expected a list of 1 to 1000"},
      {"                a: 3\n", "a: expected a schema, found 3"},
      {"                a: {type: array, items: {type: array, items: {type: x}}}\n",
       "a.items.items.type: expected string"},
      {"                a: {$ref: \"#/definitions/x\"}\n",
       "expected a schema in place, found $ref"},
      {"                a: {type: object, additionalProperties: {type: 5}}\n",
       "a.additionalProperties.type: expected string"}};
  for (const auto& [field, message] : cases)
    EXPECT_THAT(refusal(std::string(head) + field), HasSubstr(message)) << field;
}

TEST_F(codegen, refuses_other_documents_and_says_what_to_do) {
  EXPECT_THAT(refusal("kind: Deployment\n"),
              HasSubstr("crd.yaml:1:7: kind: expected CustomResourceDefinition, found "
                        "\"Deployment\""));
  EXPECT_THAT(refusal("apiVersion: apiextensions.k8s.io/v1beta1\nkind: CustomResourceDefinition\n"),
              HasSubstr("crd.yaml:1:13: apiVersion: expected apiextensions.k8s.io/v1, found"));
  const std::string top = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n";
  EXPECT_THAT(refusal(top), HasSubstr("spec.group: expected the group's name, found none"));
  const std::string named =
      top + "spec:\n  group: example.com\n  names: {kind: Cat, plural: cats}\n";
  EXPECT_THAT(refusal(named), HasSubstr("spec.versions: expected a list of 1 to 50 versions"));
  EXPECT_THAT(refusal(named + "  versions: [{name: V-1}]\n"),
              HasSubstr("spec.versions[0].name: expected a version like v1alpha1, found \"V-1\""));
  EXPECT_THAT(refusal(named + "  versions: [{name: v1}]\n"),
              HasSubstr("expected the schema of an object (type: object)"));
  EXPECT_NE(refusal(": : :"), "");
  EXPECT_NE(refusal(""), "");
}

TEST_F(codegen, refuses_what_is_nested_without_end) {
  std::string text = head, indent(16, ' ');
  for (int i = 0; i < 40; ++i) {
    text += indent + "a:\n" + indent + "  type: object\n" + indent + "  properties:\n";
    indent += "    ";
  }
  EXPECT_EQ(refusal(text + indent + "b: {type: string}\n"), "");
  for (int i = 0; i < 200; ++i) {
    text += indent + "a:\n" + indent + "  type: object\n" + indent + "  properties:\n";
    indent += "    ";
  }
  EXPECT_THAT(refusal(text + indent + "b: {type: string}\n"), HasSubstr("levels"));
}

}  // namespace
}  // namespace oarlock::codegen
