#include "core/plugin/manifest.hpp"
#include "core/plugin/yaml.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "core/plugin/errors.hpp"

namespace oarlock::plugin {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* whole = R"(apiVersion: oarlock.dev/v1alpha1
kind: PluginManifest
metadata:
  name: cat
spec:
  version: 1.2.3-rc.1
  description: A cat.
  library: libcat.so
  abi:
    major: 0
    minor: 1
  controllers:
    - name: cat
      primary:
        apiVersion: example.com/v1
        kind: Cat
        plural: cats
      owns:
        - apiVersion: apps/v1
          kind: Deployment
          plural: deployments
        - apiVersion: v1
          kind: Namespace
          plural: namespaces
          scope: Cluster
        - {apiVersion: v1, kind: Secret, plural: secrets}
        - {apiVersion: v1, kind: Service, plural: services, uncached: true}
      watches:
        - apiVersion: v1
          kind: Pod
          plural: pods
          labelSelector: a=b,c in (d, e)
          mapByLabel: app.kubernetes.io/name
          writes: [patch]
        - apiVersion: v1
          kind: ConfigMap
          plural: configmaps
          mapByPointer: /spec/config~1ref/name
          predicates: [generation, labels]
        - {apiVersion: apps/v1, kind: ReplicaSet, plural: replicasets, mapByOwner: true}
      reads:
        - apiVersion: v1
          kind: Secret
          plural: secrets
          names: ["{name}-root", tls]
          namesFrom: [/spec/secretName]
        - {apiVersion: v1, kind: ConfigMap, plural: configmaps}
      maxConcurrentReconciles: 3
      finalizer: true
      reconcileTimeoutSeconds: 90
    - name: kitten
      primary: {apiVersion: example.com/v1, kind: Kitten, plural: kittens, scope: Cluster}
)";

class manifest_file : public ::testing::Test {
 protected:
  manifest_file() {
    std::string name = (fs::temp_directory_path() / "oarlock-manifest-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~manifest_file() override { fs::remove_all(folder_); }

  result<manifest> read(const std::string& text) {
    std::ofstream(folder_ / "plugin.yaml") << text;
    return read_manifest(folder_ / "plugin.yaml");
  }
  // The whole manifest with one line replaced.
  static std::string with(const std::string& from, const std::string& to) {
    std::string text = whole;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }
  fs::path folder_;
};

TEST_F(manifest_file, is_read_whole) {
  const auto m = read(whole);
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->name, "cat");
  EXPECT_EQ(m->version, "1.2.3-rc.1");
  EXPECT_EQ(m->description, "A cat.");
  EXPECT_EQ(m->library, "libcat.so");
  EXPECT_EQ(m->abi_major, 0U);
  EXPECT_EQ(m->abi_minor, 1U);
  ASSERT_EQ(m->controllers.size(), 2U);
  const auto& c = m->controllers[0];
  EXPECT_EQ(c.plugin, "cat");
  EXPECT_EQ(c.name, "cat");
  EXPECT_EQ(c.primary, (kube::resource{"example.com", "v1", "Cat", "cats", true}));
  ASSERT_EQ(c.owns.size(), 2U);
  EXPECT_EQ(c.owns[0], (kube::resource{"apps", "v1", "Deployment", "deployments", true}));
  EXPECT_EQ(c.owns[1], (kube::resource{"", "v1", "Namespace", "namespaces", false}));
  ASSERT_EQ(c.watches.size(), 3U);
  EXPECT_EQ(c.watches[0].resource, (kube::resource{"", "v1", "Pod", "pods", true}));
  EXPECT_EQ(c.watches[0].label_selector, "a=b,c in (d, e)");
  EXPECT_EQ(c.watches[0].map_by_label, "app.kubernetes.io/name");
  EXPECT_EQ(c.max_concurrent_reconciles, 3U);
  ASSERT_EQ(c.owns_uncached.size(), 2U);
  EXPECT_EQ(c.owns_uncached[0].kind, "Secret");
  EXPECT_EQ(c.owns_uncached[1].kind, "Service");
  EXPECT_TRUE(c.watches[0].may_patch);
  EXPECT_FALSE(c.watches[0].may_delete);
  EXPECT_EQ(c.watches[1].map_by_pointer, "/spec/config~1ref/name");
  EXPECT_TRUE(c.watches[1].on_generation && c.watches[1].on_labels);
  EXPECT_FALSE(c.watches[1].on_annotations);
  EXPECT_TRUE(c.watches[2].map_by_owner);
  ASSERT_EQ(c.reads.size(), 2U);
  EXPECT_EQ(c.reads[0].resource.kind, "Secret");
  EXPECT_EQ(c.reads[0].names, (std::vector<std::string>{"{name}-root", "tls"}));
  EXPECT_EQ(c.reads[0].pointers, (std::vector<std::string>{"/spec/secretName"}));
  EXPECT_TRUE(c.reads[1].names.empty() && c.reads[1].pointers.empty());
  EXPECT_EQ(c.reconcile_timeout, std::chrono::seconds(90));
  EXPECT_EQ(m->controllers[1].reconcile_timeout, std::chrono::seconds(60));
  EXPECT_TRUE(c.finalizer);
  EXPECT_FALSE(m->controllers[1].finalizer);
  EXPECT_EQ(m->controllers[1].max_concurrent_reconciles, 16U);
  EXPECT_TRUE(m->controllers[1].owns.empty());
  EXPECT_FALSE(m->controllers[1].primary.namespaced);
}

TEST_F(manifest_file, mistakes_are_named_with_line_and_column) {
  struct mistake {
    const char* from;
    const char* to;
    const char* message;
  };
  const mistake mistakes[] = {
      {"oarlock.dev/v1alpha1", "oarlock.dev/v9",
       "1:13: expected manifest.apiVersion to be oarlock"},
      {"PluginManifest", "Plugin",
       "2:7: expected manifest.kind to be PluginManifest, found \"Plugin\""},
      {"  name: cat", "  name: Cat", "4:9: expected metadata.name to be at most 63 lower-case"},
      {"  name: cat", "  title: cat", "4:3: unknown key \"title\" in metadata; known are name"},
      {"metadata:\n  name: cat\n", "", "1:1: expected the key \"metadata\" in the manifest"},
      {"version: 1.2.3-rc.1", "version: 1.2",
       "6:12: expected spec.version to be a version such as "
       "0.1.0, found \"1.2\"; put it in quotes"},
      {"version: 1.2.3-rc.1", "version: 'a b'", "6:12: expected spec.version"},
      {"  library: libcat.so\n", "", "expected the key \"library\" in spec, found none"},
      {"libcat.so", "../libcat.so", "expected spec.library to be the name of a file beside"},
      {"libcat.so", "libcat", "expected spec.library"},
      {"major: 0", "major: -1", "10:12: expected spec.abi.major to be an integer from 0 to 65535"},
      {"minor: 1", "minor: one",
       "expected spec.abi.minor to be an integer from 0 to 65535, found one"},
      {"minor: 1", "minor: '1'", "expected spec.abi.minor to be an integer"},
      {"minor: 1\n", "minor: 1\n  network: {}\n",
       "expected the key \"connectPorts\" in spec.network, found none"},
      {"minor: 1\n", "minor: 1\n  network: {connectPorts: []}\n", "spec.network.connectPorts"},
      {"minor: 1\n", "minor: 1\n  network: {connectPorts: [0]}\n",
       "expected spec.network.connectPorts[0] to be an integer from 1 to 65535, found 0"},
      {"minor: 1\n", "minor: 1\n  network: {connectPorts: [443, https]}\n",
       "expected spec.network.connectPorts[1] to be an integer from 1 to 65535, found https"},
      {"minor: 1\n", "minor: 1\n  network: {connectPorts: ['443']}\n",
       "expected spec.network.connectPorts[0] to be an integer"},
      {"minor: 1\n", "minor: 1\n  network: {connectPorts: [443], hosts: [a]}\n",
       "unknown key \"hosts\" in spec.network; known are connectPorts"},
      {"minor: 1", "patch: 1", "unknown key \"patch\" in spec.abi; known are major, minor"},
      {"kind: Cat", "kind: cat", "16:15: expected spec.controllers[0].primary.kind to be a kind"},
      {"example.com/v1", "a/b/c", "expected spec.controllers[0].primary.apiVersion"},
      {"plural: cats", "plural: Cats", "expected spec.controllers[0].primary.plural"},
      {"scope: Cluster", "scope: World",
       "owns[1].scope to be Namespaced or Cluster, found \"World\""},
      {"mapByLabel: app.kubernetes.io/name", "mapByLabel: a b", "watches[0].mapByLabel"},
      {"          mapByLabel: app.kubernetes.io/name\n", "",
       "expected exactly one of mapByLabel, mapByOwner: true and mapByPointer in spec.contr"},
      {"mapByOwner: true", "mapByOwner: true, mapByLabel: app", "expected exactly one of mapBy"},
      {"mapByOwner: true", "mapByOwner: false", "expected exactly one of mapByLabel"},
      {"/spec/config~1ref/name", "spec.config", "a JSON pointer such as /spec/configName"},
      {"/spec/config~1ref/name", "/spec/~2", "a JSON pointer such as /spec/configName"},
      {"mapByPointer: /spec", "scope: Cluster\n          mapByPointer: /spec",
       "of the same scope as the primary"},
      {"[generation, labels]", "[status]", "to list generation, labels or annotations, found"},
      {"reconcileTimeoutSeconds: 90", "reconcileTimeoutSeconds: 0", "integer from 1 to 3600"},
      {"maxConcurrentReconciles: 3", "maxConcurrentReconciles: 0",
       "integer from 1 to 1000, found 0"},
      {"finalizer: true", "finalizer: 'true'", "controllers[0].finalizer to be true or false"},
      {"writes: [patch]", "writes: [apply]", "watches[0].writes to list patch or delete"},
      {"writes: [patch]", "writes: []", "watches[0].writes to be a list of 1 to 2 items"},
      {"kind: Pod\n          plural: pods", "kind: Secret\n          plural: secrets",
       "expected spec.controllers[0].watches[0] to be another kind than Secret"},
      {"[\"{name}-root\", tls]", "[\"{nam}-root\"]", "in which {name} is the primary's, found"},
      {"[/spec/secretName]", "[spec]", "to list a JSON pointer such as /spec/secretName"},
      {"          names: [\"{name}-root\", tls]\n          namesFrom: [/spec/secretName]\n", "",
       "Secrets are read by names that are known"},
      {"plural: configmaps}\n", "plural: configmaps, verbs: [list]}\n", "unknown key \"verbs\""},
      {"finalizer: true", "finalizer: yes", "controllers[0].finalizer to be true or false"},
      {"name: kitten", "name: cat", "expected each controller once, found \"cat\" twice"},
      {"      owns:\n        - apiVersion: apps/v1\n          kind: Deployment\n          plural: "
       "deployments",
       "      owns:\n        - apiVersion: example.com/v1\n          kind: Cat\n          plural: "
       "cats",
       "expected each kind once and not the primary, found cats.example.com"},
      {"  description: A cat.", "  version: 2.0.0",
       "7:3: expected each key once, found \"version\" twice"},
  };
  for (const auto& m : mistakes) {
    SCOPED_TRACE(m.to);
    const auto got = read(with(m.from, m.to));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, plugin_error::bad_manifest);
    EXPECT_THAT(got.error().message, HasSubstr("plugin.yaml:"));
    EXPECT_THAT(got.error().message, HasSubstr(m.message));
  }
}

TEST_F(manifest_file, says_what_may_be_configured) {
  const auto with_schema = [&](const std::string& schema) {
    return read(with("  controllers:\n", "  configSchema:\n" + schema + "  controllers:\n"));
  };
  EXPECT_EQ(read(whole)->config_schema, "");
  const auto m = with_schema("    type: object\n    properties: {lives: {type: integer}}\n");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->config_schema, R"({"type":"object","properties":{"lives":{"type":"integer"}}})");
  EXPECT_THAT(
      with_schema("    type: object\n    properties: {lives: {type: int}}\n").error().message,
      HasSubstr("plugin.yaml:14:32: spec.configSchema.properties.lives.type: expected "));
  EXPECT_THAT(with_schema("    5\n").error().message, HasSubstr("expected a schema, found 5"));
  EXPECT_THAT(with_schema("    type: yes\n").error().message, HasSubstr("put it in quotes"));
}

TEST_F(manifest_file, says_which_ports_a_child_connects_to) {
  EXPECT_THAT(read(whole)->connect_ports, IsEmpty());
  const auto m = read(with("minor: 1\n", "minor: 1\n  network: {connectPorts: [65535, 1, 1]}\n"));
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_THAT(m->connect_ports, ElementsAre(1, 65535)) << "each once, in order";
}

TEST_F(manifest_file, other_documents_are_refused) {
  EXPECT_THAT(read("").error().message, HasSubstr("expected one YAML document, found none"));
  EXPECT_THAT(read("a: 1\n---\nb: 2\n").error().message, HasSubstr("found 2"));
  EXPECT_THAT(read(",1\n").error().message, HasSubstr("found 2")) << "and comes back";
  EXPECT_THAT(read("[1, 2]").error().message, HasSubstr("expected the manifest to be a map"));
  EXPECT_THAT(read("a: [1").error().message, HasSubstr("expected YAML, found: "));
  EXPECT_THAT(read(std::string(5U << 20U, '#')).error().message,
              HasSubstr("expected at most 4194304"));
  EXPECT_THAT(read("spec: {controllers: []}\n").error().message, HasSubstr("apiVersion"));
  EXPECT_EQ(read_manifest(folder_ / "none.yaml").error().code, plugin_error::missing);
  EXPECT_EQ(read_manifest(folder_).error().code, plugin_error::missing);
}

// Whatever is cut off or turned into something else: an answer, never a crash.
TEST_F(manifest_file, survives_damage) {
  const std::string text = whole;
  for (std::size_t i = 0; i < text.size(); i += 7) {
    (void)read(text.substr(0, i));
    std::string changed = text;
    changed[i] = "{[:-\n\"'&*!"[i % 10];
    (void)read(changed);
  }
}

// Images carry JSON, which is judged by the same rules and never by a YAML parser.
TEST_F(manifest_file, of_an_image_is_json) {
  const auto yaml = load_yaml([&] {
    (void)read(whole);
    return folder_ / "plugin.yaml";
  }());
  ASSERT_TRUE(yaml);
  const auto text = yaml_to_json(*yaml, "plugin.yaml");
  ASSERT_TRUE(text);
  const auto file = folder_ / "plugin.json";
  const auto read_json = [&](const std::string& json) {
    std::ofstream(file) << json;
    return read_manifest(file);
  };
  const auto from_json = read_json(*text);
  ASSERT_TRUE(from_json) << from_json.error().message;
  const auto from_yaml = read(whole);
  ASSERT_TRUE(from_yaml);
  EXPECT_EQ(from_json->name, from_yaml->name);
  EXPECT_EQ(from_json->abi_minor, from_yaml->abi_minor);
  ASSERT_EQ(from_json->controllers.size(), from_yaml->controllers.size());
  EXPECT_EQ(from_json->controllers[0].finalizer, from_yaml->controllers[0].finalizer);
  EXPECT_EQ(from_json->controllers[0].watches.size(), from_yaml->controllers[0].watches.size());

  for (const std::string& bad : {std::string(whole), std::string("{\"kind\": &a PluginManifest}"),
                                 std::string("{} {}"), std::string("{\"unknown\": 1}")}) {
    const auto refused = read_json(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_THAT(refused.error().message, HasSubstr("plugin.json: "));
  }
}

TEST_F(manifest_file, of_the_tree_is_valid) {
  const auto m = read_manifest(std::string(OARLOCK_SOURCE_DIR) + "/plugins/myapp/plugin.yaml");
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->name, "myapp");
}

}  // namespace
}  // namespace oarlock::plugin
