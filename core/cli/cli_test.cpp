#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/cli/generate.hpp"
#include "core/cli/image_commands.hpp"
#include "core/cli/inspect.hpp"
#include "core/cli/install.hpp"
#include "core/cli/manifest.hpp"
#include "core/cli/plugin_json.hpp"
#include "core/json/parse.hpp"

namespace oarlock::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* manifest = R"(apiVersion: oarlock.dev/v1alpha1
kind: PluginManifest
metadata: {name: cat}
spec:
  version: 1.2.3
  library: libcat.so
  abi: {major: 0, minor: 1}
  network: {connectPorts: [443, 33062]}
  controllers:
    - name: cat
      primary: {apiVersion: example.com/v1, kind: Cat, plural: cats}
      owns: [{apiVersion: apps/v1, kind: Deployment, plural: deployments}]
      watches:
        - {apiVersion: v1, kind: Pod, plural: pods, labelSelector: a=b, mapByLabel: app}
)";

class cli : public ::testing::Test {
 protected:
  cli() {
    std::string name = (fs::temp_directory_path() / "oarlock-cli-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~cli() override { fs::remove_all(folder_); }
  fs::path write(const char* name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  fs::path folder_;
};

TEST_F(cli, inspect_tells_what_it_found_before_the_refusal) {
  write("plugin.yaml", manifest);
  write("libcat.so", "meow");
  const auto r = inspect(folder_);
  EXPECT_FALSE(r.would_load);
  EXPECT_THAT(r.text,
              AllOf(HasSubstr("name        cat\n"), HasSubstr("needs 0.1, this build offers"),
                    HasSubstr("network     connects to TCP ports 443, 33062\n"),
                    HasSubstr("primary   cats.example.com (example.com/v1)"),
                    HasSubstr("owns      deployments.apps (apps/v1)"),
                    HasSubstr("pods (v1) with a=b, mapped by the label app"),
                    HasSubstr("would load  no: "), HasSubstr("libcat.so: expected an ELF")));
  // sha256sum of "meow"
  EXPECT_THAT(r.text,
              HasSubstr("404cdd7bc109c432f8cc2443b45bcfe95980f5107215c645236e577929ac3e52"));
}

TEST_F(cli, inspect_tells_what_may_be_configured) {
  write("libcat.so", "meow");
  write("plugin.yaml", manifest);
  EXPECT_THAT(inspect(folder_).text, HasSubstr("\nconfigured  by nothing\n"));
  write("plugin.yaml", std::string(manifest) + R"(  configSchema:
    type: object
    required: [food]
    properties:
      food: {type: string, enum: [fish, mice], description: "What\nit \e[31mgets."}
      naps: {type: integer, minimum: 1, default: 9}
      home: {type: object, properties: {door: {type: boolean, default: true}}}
)");
  EXPECT_THAT(inspect(folder_).text,
              HasSubstr("\nconfigured  by --plugin-config=cat=FILE, in YAML\n"
                        "  food       one of fish, mice, required: What it  [31mgets.\n"
                        "  naps       an integer of at least 1, default 9\n"
                        "  home.door  true or false, default true\n"));
}

TEST_F(cli, types_of_a_build_include_what_tells_that_they_have_changed) {
  const auto crd = write("cat.yaml", R"(apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: example.com
  names: {kind: Cat, plural: cats}
  versions: [{name: v1, schema: {openAPIV3Schema: {type: object}}}]
)");
  types_options options;
  options.files = {crd.string()};
  options.folder = (folder_ / "types").string();
  options.stamp = (folder_ / "types.stamp").string();
  const auto text_of = [](const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return std::move(text).str();
  };
  ASSERT_TRUE(generate_types(options));
  EXPECT_THAT(text_of(folder_ / "types/example.com/v1/cat.hpp"),
              HasSubstr("\n#include \"../../../types.stamp\""));
  EXPECT_EQ(text_of(options.stamp), "// example.com/v1/cat.hpp\n");
  // It stays as it is while all headers do.
  write("types.stamp", "// old\n");
  ASSERT_TRUE(generate_types(options));
  EXPECT_EQ(text_of(options.stamp), "// old\n");
  write("types/example.com/v1/cat.hpp", "");
  ASSERT_TRUE(generate_types(options));
  EXPECT_EQ(text_of(options.stamp), "// example.com/v1/cat.hpp\n");
}

TEST_F(cli, inspect_of_nothing) {
  const auto r = inspect(folder_ / "nothing");
  EXPECT_FALSE(r.would_load);
  EXPECT_THAT(r.text, HasSubstr("found nothing"));
}

TEST_F(cli, inspect_says_no_to_extra_exports_but_in_development) {
  std::string text = manifest;
  text.replace(text.find("minor: 1"), 8, "minor: " + std::to_string(OARLOCK_ABI_MINOR));
  write("plugin.yaml", text);
  fs::copy(ZOO_DIR "/libextra_exports.so", folder_ / "libcat.so");
  const auto r = inspect(folder_);
  EXPECT_FALSE(r.would_load);
  EXPECT_THAT(r.text, HasSubstr("libcat.so: expected no exported symbol beside "
                                "oarlock_plugin_entry_v0, found helper, which"));
  EXPECT_TRUE(inspect(folder_, plugin::export_rule::warn).would_load);
}

TEST_F(cli, inspect_tells_all_that_a_library_says) {
  const auto r = inspect(std::string(PLUGIN_DIR) + "/myapp");
  EXPECT_TRUE(r.would_load) << r.text;
  EXPECT_THAT(
      r.text,
      AllOf(HasSubstr("plugin ABI  needs "), HasSubstr("\nhomes       core, child\n"),
            HasSubstr("\nexports     oarlock_plugin_entry_v0\n"), HasSubstr("libc.so.6 (GLIBC 2."),
            HasSubstr("\nglibc       2."), HasSubstr(" or newer; this system has 2."),
            HasSubstr("would load  yes (none of its code was run)\n")));
}

TEST_F(cli, json_of_a_manifest_is_checked) {
  const auto json = plugin_json(write("plugin.yaml", manifest));
  ASSERT_TRUE(json);
  EXPECT_THAT(*json, HasSubstr(R"("metadata":{"name":"cat"},"spec":{"version":"1.2.3")"));
  std::string bad = manifest;
  bad.replace(bad.find("library:"), 8, "libary: ");
  const auto refused = plugin_json(write("bad.yaml", bad));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("bad.yaml:6:3: unknown key \"libary\""));
}

TEST_F(cli, json_of_any_other_document) {
  const auto json = plugin_json(write("crd.yaml", "kind: CustomResourceDefinition\na: [1, 'x']\n"));
  ASSERT_TRUE(json);
  EXPECT_EQ(*json, R"({"kind":"CustomResourceDefinition","a":[1,"x"]})");
}

constexpr const char* granted = R"(---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: oarlock-plugin-cat
  namespace: oarlock-system
  labels:
    app.kubernetes.io/part-of: oarlock
    oarlock.dev/plugin: "cat"
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: oarlock-plugin-cat
  labels:
    app.kubernetes.io/part-of: oarlock
    oarlock.dev/plugin: "cat"
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list, watch]
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [get, list, watch, create, patch, delete]
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
  - apiGroups: [example.com]
    resources: [cats]
    verbs: [get, list, watch]
  - apiGroups: [example.com]
    resources: [cats/finalizers]
    verbs: [update]
  - apiGroups: [example.com]
    resources: [cats/status]
    verbs: [patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: oarlock-plugin-cat
  labels:
    app.kubernetes.io/part-of: oarlock
    oarlock.dev/plugin: "cat"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: oarlock-plugin-cat
subjects:
  - kind: ServiceAccount
    name: oarlock-plugin-cat
    namespace: oarlock-system
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: oarlock-watch-cat
  labels:
    app.kubernetes.io/part-of: oarlock
    oarlock.dev/plugin: "cat"
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list, watch]
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [get, list, watch]
  - apiGroups: [example.com]
    resources: [cats]
    verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: oarlock-watch-cat
  labels:
    app.kubernetes.io/part-of: oarlock
    oarlock.dev/plugin: "cat"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: oarlock-watch-cat
subjects:
  - kind: ServiceAccount
    name: oarlock
    namespace: oarlock-system
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: oarlock-token-cat
  namespace: oarlock-system
  labels:
    app.kubernetes.io/part-of: oarlock
    oarlock.dev/plugin: "cat"
rules:
  - apiGroups: [""]
    resources: [serviceaccounts/token]
    resourceNames: [oarlock-plugin-cat]
    verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: oarlock-token-cat
  namespace: oarlock-system
  labels:
    app.kubernetes.io/part-of: oarlock
    oarlock.dev/plugin: "cat"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: oarlock-token-cat
subjects:
  - kind: ServiceAccount
    name: oarlock
    namespace: oarlock-system
)";

constexpr const char* crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n";

TEST_F(cli, manifest_is_what_a_person_applies) {
  write("plugin.yaml", manifest);
  const auto text = plugin_manifest(folder_, {});
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, granted);
  EXPECT_EQ(*plugin_manifest(folder_ / "libcat.so", {}), granted);
}

TEST_F(cli, manifest_begins_with_the_crds_once_each_in_the_order_of_their_names) {
  write("plugin.yaml", manifest);
  fs::create_directory(folder_ / "crds");
  write("crds/b.yaml", std::string("# b\n") + crd);
  write("crds/b.json", R"({"kind": "CustomResourceDefinition"})");
  write("crds/a.json", R"({"kind": "CustomResourceDefinition"})");
  write("crds/README.md", "not one");
  const auto text = plugin_manifest(folder_, {});
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, std::string("---\n{\"kind\": \"CustomResourceDefinition\"}\n---\n# b\n") + crd +
                       granted);
}

TEST_F(cli, manifest_of_an_image_is_json_and_never_read_as_yaml) {
  write("plugin.json", *plugin_json(write("plugin.yaml", manifest)));
  fs::remove(folder_ / "plugin.yaml");
  fs::create_directory(folder_ / "crds");
  write("crds/a.json", R"({"kind": "CustomResourceDefinition"})");
  const auto text = plugin_manifest(folder_, {});
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, std::string("---\n{\"kind\": \"CustomResourceDefinition\"}\n") + granted);
  write("crds/a.json", "kind: CustomResourceDefinition\n");
  EXPECT_FALSE(plugin_manifest(folder_, {}));
}

TEST(plugin_object_yaml, says_what_the_daemon_is_to_run) {
  plugin_object_options o;
  o.name = "cat";
  o.image = "r/cat:1";
  EXPECT_EQ(plugin_object_yaml(o),
            "---\napiVersion: oarlock.dev/v1alpha1\nkind: Plugin\nmetadata:\n  name: cat\nspec:\n"
            "  image: \"r/cat:1\"\n  runtime: oarlock\n  home: child\n");
  o.pull_secrets = {"a", "b"};
  EXPECT_THAT(plugin_object_yaml(o),
              HasSubstr("  imagePullSecrets:\n    - name: a\n    - name: b\n"));
}

// Why plugin "cat" may not replace the CRD `live`.
std::string refusal(const std::string& live, bool adopt = false) {
  const auto wanted = json::parse(R"({"spec":{"versions":[{"name":"v1"},{"name":"v2"}]}})");
  const auto found = json::parse(live);
  EXPECT_TRUE(found) << live;
  return crd_refusal("cat", *wanted, *found, adopt);
}

TEST(crd_refusal, a_crd_of_somebody_else_is_adopted_only_when_that_is_said) {
  const std::pair<const char*, const char*> owned[] = {
      {R"({"metadata":{"labels":{"app.kubernetes.io/managed-by":"Helm"}}})", "found one of Helm"},
      {R"({"metadata":{"annotations":{"meta.helm.sh/release-name":"r"}}})", "Helm release r"},
      {R"({"metadata":{"ownerReferences":[{"name":"x"}]}})", "another object, its owner"},
      {R"({"metadata":{"labels":{"oarlock.dev/plugin":"dog"}}})", "found plugin dog"},
  };
  for (const auto& [live, says] : owned) {
    EXPECT_THAT(refusal(live), AllOf(HasSubstr(says), HasSubstr("--adopt-crds"))) << live;
    EXPECT_EQ(refusal(live, true), "") << live;
  }
  EXPECT_EQ(refusal(R"({"metadata":{}})"), "");
  EXPECT_EQ(refusal(R"({"metadata":{"labels":{"oarlock.dev/plugin":"cat",)"
                    R"("app.kubernetes.io/managed-by":"Helm"}}})"),
            "");
}

TEST(crd_refusal, a_version_in_which_objects_are_stored_is_never_dropped) {
  EXPECT_EQ(refusal(R"({"status":{"storedVersions":["v1","v2"]}})"), "");
  for (const bool adopt : {false, true}) {
    EXPECT_THAT(refusal(R"({"status":{"storedVersions":["v1alpha1","v1"]}})", adopt),
                HasSubstr("to have version v1alpha1"));
  }
}

TEST_F(cli, manifest_takes_nothing_else_from_crds) {
  write("plugin.yaml", manifest);
  fs::create_directory(folder_ / "crds");
  write("crds/a.yaml", "kind: ClusterRoleBinding\n");
  const auto refused = plugin_manifest(folder_, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(
      refused.error().message,
      HasSubstr("a.yaml: expected a CustomResourceDefinition, found \"ClusterRoleBinding\""));
}

TEST_F(cli, manifest_of_a_scope_grants_there_what_has_a_namespace) {
  std::string with_club = manifest;
  with_club +=
      "        - {apiVersion: example.com/v1, kind: Club, plural: clubs, scope: Cluster, "
      "mapByLabel: app}\n";
  write("plugin.yaml", with_club);
  manifest_options o;
  o.scope_ns = "tenant";
  o.daemon_service_account = "elsewhere/daemon";
  const auto text = plugin_manifest(folder_, o);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_THAT(*text, HasSubstr("kind: Role\nmetadata:\n  name: oarlock-plugin-cat\n"
                               "  namespace: tenant\n"));
  EXPECT_THAT(*text, HasSubstr("kind: Role\nmetadata:\n  name: oarlock-watch-cat\n"
                               "  namespace: tenant\n"));
  EXPECT_THAT(*text, HasSubstr("    name: daemon\n    namespace: elsewhere\n"));
  const auto of_cluster = text->find("kind: ClusterRole\n");
  ASSERT_NE(of_cluster, std::string::npos);
  const auto rules = text->substr(of_cluster, text->find("---", of_cluster) - of_cluster);
  EXPECT_THAT(rules, HasSubstr("rules:\n  - apiGroups: [example.com]\n    resources: [clubs]\n"
                               "    verbs: [get, list, watch]\n"));
  EXPECT_EQ(rules.find("pods"), std::string::npos);
}

TEST_F(cli, manifest_refuses_names_that_would_be_yaml) {
  write("plugin.yaml", manifest);
  const auto with = [&](auto member, const char* value) {
    manifest_options o;
    o.*member = value;
    const auto text = plugin_manifest(folder_, o);
    return text ? std::string() : text.error().message;
  };
  EXPECT_THAT(with(&manifest_options::ns, "a\nkind"), HasSubstr("--namespace: expected"));
  EXPECT_THAT(with(&manifest_options::scope_ns, "*"), HasSubstr("--scope-namespace: expected"));
  EXPECT_THAT(with(&manifest_options::daemon_service_account, "a/b/c"), HasSubstr("NAMESPACE"));
  EXPECT_THAT(with(&manifest_options::daemon_user, "a: b"), HasSubstr("--daemon-user: expected"));
  EXPECT_EQ(with(&manifest_options::daemon_user, "system:admin"), "");
}

// The files in the source tree are what the tool prints.
TEST(cli_rbac, of_each_plugin_is_what_the_daemon_needs) {
  for (const char* name : {"myapp", "mysql-cluster", "ml-pipeline"}) {
    const fs::path plugin = fs::path(OARLOCK_SOURCE_DIR) / "plugins" / name;
    manifest_options o;
    o.identity = plugin_identity::daemon;
    o.daemon_user = "oarlock";
    const auto text = plugin_manifest(plugin, o);
    ASSERT_TRUE(text) << text.error().message;
    std::ifstream in(plugin / "rbac/daemon.yaml");
    std::ostringstream file;
    file << in.rdbuf();
    const auto documents = file.str().substr(std::min(file.str().find("---\n"), file.str().size()));
    ASSERT_FALSE(documents.empty());
    EXPECT_TRUE(text->ends_with(documents)) << *text;
  }
}

TEST_F(cli, an_image_is_told_from_a_path) {
  const auto archive = write("image.tar", "");
  EXPECT_TRUE(is_image(archive.string()));
  EXPECT_TRUE(is_image("registry.example.com:5000/team/cat:v1"));
  EXPECT_TRUE(is_image("registry.example.com/team/cat@sha256:0123"));
  EXPECT_TRUE(is_image("cat:v1"));
  EXPECT_FALSE(is_image(folder_.string()));
  EXPECT_FALSE(is_image(write("libcat.so", "meow").string()));
  EXPECT_FALSE(is_image((folder_ / "missing:v1").string()));
  EXPECT_FALSE(is_image("./missing:v1"));
  EXPECT_FALSE(is_image("build/plugins/misspelt"));
  EXPECT_FALSE(is_image("registry.example.com:5000/team/cat"));
}

}  // namespace
}  // namespace oarlock::cli
