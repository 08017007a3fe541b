// Plugin objects against a real API server and a real registry: installed, granted, upgraded,
// refused, taken away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/support/cluster.hpp"
#include "tests/support/registry.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr auto soon = 60s;

std::string whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << text;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

class PluginObjects : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (run({"sh", "-c", "command -v docker-registry"}).exit_code != 0) return;
    const auto& c = shared_cluster();
    c.must({"apply", "-f", source_dir() / "deploy/crds"});
    c.must({"wait", "--for=condition=Established", "crd/plugins.oarlock.dev"});
    registry_ = std::make_unique<image_registry>();
    registry_->make_key("theirs");
  }
  static void TearDownTestSuite() { registry_.reset(); }

  void SetUp() override {
    if (!registry_) GTEST_SKIP() << "no docker-registry in PATH: tools/deps.sh installs it";
    ns_ = fmt::format("objects-{}", ++namespaces_);
    c_.make_namespace(ns_);
    std::ofstream(dir_.path() / "policy.yaml") << fmt::format(
        "rules:\n  - name: ours\n    match: {0}/**\n    mode: key\n    keyFiles: [{1}]\n"
        "registry:\n  insecure: [\"{0}\"]\n",
        registry_->address(), (registry_->folder() / "ours.pub").string());
  }
  void TearDown() override {
    if (!registry_) return;
    c_.must({"delete", "plugins", "--all"});
    c_.must({"delete", "--ignore-not-found", "-n", "oarlock-system",
             "clusterrolebinding/oarlock-plugin-turner", "clusterrole/oarlock-plugin-turner",
             "serviceaccount/oarlock-plugin-turner"});
  }

  // A folder with the test's plugin; `library` is that of its first or second version.
  fs::path plugin(const std::string& version, const char* library = "turner",
                  const std::string& name = "turner") {
    const auto folder = dir_.path() / fmt::format("{}-{}-{}", name, version, ++folders_);
    fs::create_directories(folder);
    auto manifest = whole(test_plugin("turner") / "plugin.json");
    manifest = replaced(manifest, R"("version":"1")", R"("version":")" + version + "\"");
    manifest = replaced(manifest, R"("name":"turner")", R"("name":")" + name + "\"");
    std::ofstream(folder / "plugin.json") << manifest;
    fs::copy(test_plugin(library) / "libturner.so", folder / "libturner.so");
    return folder;
  }
  // Pushed under this tag, and signed unless `key` is empty.
  std::string pushed(const fs::path& folder, const std::string& tag,
                     const std::string& key = "ours") {
    const auto ref = registry_->ref(ns_ + "/turner:" + tag);
    registry_->push(folder, ref);
    if (!key.empty()) registry_->sign(ref, key);
    return ref;
  }
  std::unique_ptr<daemon> started(bool leader_elect = false, const char* store = "store") {
    return std::make_unique<daemon>(
        c_, daemon::options{{},
                            {"--plugin-objects=true", "--namespace=" + ns_,
                             "--plugin-store=" + (dir_.path() / store).string(),
                             "--image-policy=" + (dir_.path() / "policy.yaml").string(),
                             "--leader-election-id=" + ns_},
                            leader_elect,
                            {}});
  }
  finished oarlock(std::vector<std::string> args, const std::string& ref) {
    std::vector<std::string> argv{built("bin/oarlock"), "plugin", args.at(0), ref};
    argv.insert(argv.end(), args.begin() + 1, args.end());
    return run(argv, {}, 120s);
  }
  std::string manifest(const std::string& ref) {
    const auto done = oarlock(
        {"manifest", "--plain-http", "--daemon-user=oarlock", "--scope-namespace=" + ns_}, ref);
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return done.out;
  }
  void apply_plugin(const std::string& name, const std::string& image) {
    c_.must({"apply", "-f", "-"},
            fmt::format("apiVersion: oarlock.dev/v1alpha1\nkind: Plugin\nmetadata: {{name: {}}}\n"
                        "spec: {{image: \"{}\"}}\n",
                        name, image));
  }
  std::string condition(const std::string& type, const char* field,
                        const std::string& name = "turner") {
    return c_.field("plugin", name, "",
                    fmt::format(".status.conditions[?(@.type==\"{}\")].{}", type, field));
  }
  // "True Running": Ready of the generation that is asked for.
  std::string ready(const std::string& name = "turner") {
    const auto all = c_.must({"get", "plugin", name, "-o",
                              "jsonpath={.metadata.generation} {.status.observedGeneration} "
                              "{.status.conditions[?(@.type==\"Ready\")].status} "
                              "{.status.conditions[?(@.type==\"Ready\")].reason}"});
    std::istringstream words(all);
    std::string wanted;
    std::string observed;
    std::string status;
    std::string reason;
    words >> wanted >> observed >> status >> reason;
    return wanted == observed ? status + " " + reason : "not observed: " + all;
  }
  ::testing::AssertionResult comes_to(const std::string& expected, daemon& d,
                                      const std::string& name = "turner") {
    std::string found;
    if (eventually([&] { return (found = ready(name)) == expected; }, soon)) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << found << ", not " << expected << "\n"
                                         << c_.get("plugin", name, "") << d.process().log();
  }
  ::testing::AssertionResult made_by(const std::string& name, const std::string& version,
                                     daemon& d) {
    std::string by;
    if (eventually([&] { return (by = c_.field("configmap", name, ns_, ".data.by")) == version; },
                   soon)) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "by " << by << "\n" << d.process().log();
  }
  void make_app(const std::string& name) {
    c_.must({"apply", "-n", ns_, "-f", "-"}, myapp_yaml(name, 1));
  }

  static inline std::unique_ptr<image_registry> registry_;
  static inline int namespaces_ = 0;
  cluster& c_ = shared_cluster();
  scratch_dir dir_;
  std::string ns_;
  int folders_ = 0;
};

TEST_F(PluginObjects, InstalledInOneStepAndTakenAwayInOne) {
  const auto ref = pushed(plugin("1"), "v1");
  make_app("first");
  auto d = started();
  ASSERT_TRUE(d->wait_ready(soon)) << d->process().log();

  const auto begin = std::chrono::steady_clock::now();
  const auto installed =
      oarlock({"install", "--plain-http", "--daemon-user=oarlock", "--scope-namespace=" + ns_,
               "--kubeconfig=" + (c_.dir() / "admin.kubeconfig").string()},
              ref);
  ASSERT_EQ(installed.exit_code, 0) << installed.out << installed.err << d->process().log();
  EXPECT_TRUE(made_by("first", "1", *d));
  const auto took = std::chrono::steady_clock::now() - begin;
  fmt::print("install to first reconcile: {} ms\n",
             std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  EXPECT_THAT(installed.out,
              AllOf(HasSubstr("plugins.oarlock.dev/turner created"),
                    HasSubstr("SignatureVerified: rule ours: signed by sha256:"),
                    HasSubstr("Loaded   Loaded: version 1 of " + registry_->ref(ns_))));
  const auto table = c_.must({"get", "plugins"});
  EXPECT_THAT(table, AllOf(HasSubstr("IMAGE"), HasSubstr(ref), HasSubstr("child"),
                           HasSubstr("True"), HasSubstr("Running")));
  EXPECT_EQ(c_.field("plugin", "turner", "", ".status.kinds"), "[\"myapps.example.com\"]");
  EXPECT_EQ(
      metric(d->metrics(), "oarlock_plugin_image_policy", {"plugin=\"turner\"", "mode=\"key\""}),
      1);
  // As itself, and about the Plugin.
  EXPECT_EQ(c_.field("configmap", "first", ns_, ".metadata.managedFields[0].manager"),
            "oarlock-turner");
  EXPECT_TRUE(eventually(
      [&] { return c_.fields("events", "default", ".reason").count("SignatureVerified") > 0; },
      soon));

  const auto removed =
      oarlock({"uninstall", "--kubeconfig=" + (c_.dir() / "admin.kubeconfig").string()}, "turner");
  ASSERT_EQ(removed.exit_code, 0) << removed.out << removed.err << d->process().log();
  EXPECT_THAT(removed.out, AllOf(HasSubstr("plugins.oarlock.dev/turner deleted"),
                                 HasSubstr("serviceaccounts/oarlock-plugin-turner deleted")));
  EXPECT_TRUE(eventually(
      [&] { return metric(d->metrics(), "oarlock_plugin_loaded", {"plugin=\"turner\""}) == 0; },
      soon))
      << d->process().log();
  EXPECT_EQ(c_.get("crd", "myapps.example.com", "").empty(), false);
  d->process().send(SIGTERM);
  EXPECT_EQ(d->process().wait(60s), 0) << d->process().log();
}

TEST_F(PluginObjects, WaitsForRightsAndSchemaAndSaysWhatToApply) {
  auto folder = plugin("1");
  fs::create_directories(folder / "crds");
  const auto crd = whole(built("plugins/myapp/crds") / "example.com_myapps.json");
  std::ofstream(folder / "crds/example.com_myapps.json") << replaced(
      crd, R"("spec":{"type":"object",)", R"("extra":{"type":"string"},"spec":{"type":"object",)");
  const auto ref = pushed(folder, "v1");
  make_app("first");
  auto d = started();
  apply_plugin("turner", ref);
  ASSERT_TRUE(comes_to("False AwaitingGrant", *d));
  EXPECT_EQ(condition("Granted", "status"), "False");
  EXPECT_EQ(condition("Stalled", "status"), "True");
  EXPECT_THAT(condition("Granted", "message"),
              AllOf(HasSubstr("the field .extra of version v1alpha1"),
                    HasSubstr("kubectl get plugin turner -o jsonpath='{.status.missing}'")));
  EXPECT_EQ(condition("Loaded", "status"), "Unknown");

  c_.must({"apply", "--server-side", "--force-conflicts", "-f", "-"},
          c_.field("plugin", "turner", "", ".status.missing"));
  ASSERT_TRUE(comes_to("True Running", *d));
  EXPECT_EQ(c_.field("plugin", "turner", "", ".status.missing"), "");
  EXPECT_TRUE(made_by("first", "1", *d));
}

TEST_F(PluginObjects, WhatIsWrongWithANewRevisionLeavesTheOldOne) {
  const auto v1 = pushed(plugin("1"), "v1");
  c_.must({"apply", "-f", "-"}, manifest(v1));
  make_app("first");
  auto d = started();
  ASSERT_TRUE(comes_to("True Running", *d));
  ASSERT_TRUE(made_by("first", "1", *d));

  const auto first = c_.field("plugin", "turner", "", ".status.running.image");
  EXPECT_THAT(first, HasSubstr("@sha256:"));
  struct {
    std::string image;
    const char* reason;
  } const bad[] = {
      {pushed(plugin("2", "turner-2"), "unsigned", ""), "True SignatureMissing"},
      {pushed(plugin("3", "turner-2"), "theirs", "theirs"), "True SignatureInvalid"},
      {registry_->ref(ns_ + "/turner:none"), "True ImageNotFound"},
      // The library says that it is version 2.
      {pushed(plugin("4", "turner-2"), "mixed"), "True NotLoaded"},
      {pushed(plugin("1", "turner", "other"), "renamed"), "True NameMismatch"},
  };
  for (const auto& one : bad) {
    apply_plugin("turner", one.image);
    ASSERT_TRUE(comes_to(one.reason, *d)) << one.image;
    EXPECT_EQ(condition("Stalled", "status"), "True");
    EXPECT_EQ(c_.field("plugin", "turner", "", ".status.running.image"), first);
  }
  make_app("second");
  EXPECT_TRUE(made_by("second", "1", *d));

  // A tag that moves is not looked up again; an upgrade is a change of the image.
  apply_plugin("turner", v1);
  ASSERT_TRUE(comes_to("True Running", *d));
  pushed(plugin("2", "turner-2"), "v1");
  const auto v2 = pushed(plugin("2", "turner-2"), "v2");
  apply_plugin("turner", v2);
  ASSERT_TRUE(comes_to("True Running", *d));
  EXPECT_TRUE(made_by("first", "2", *d));
  EXPECT_EQ(c_.field("plugin", "turner", "", ".status.running.version"), "2");

  // A second plugin for the same kind.
  apply_plugin("rival", pushed(plugin("1", "turner", "rival"), "rival"));
  ASSERT_TRUE(comes_to("False KindClaimed", *d, "rival"));
  EXPECT_THAT(condition("Ready", "message", "rival"), HasSubstr("found plugin turner"));
  EXPECT_EQ(ready(), "True Running");
}

TEST_F(PluginObjects, ARestartNeedsNoRegistryAndATagIsLookedUpOnce) {
  const auto ref = pushed(plugin("1"), "v1");
  c_.must({"apply", "-f", "-"}, manifest(ref));
  auto d = started();
  ASSERT_TRUE(comes_to("True Running", *d));
  pushed(plugin("2", "turner-2"), "v1");
  d->process().send(SIGTERM);
  ASSERT_EQ(d->process().wait(60s), 0) << d->process().log();

  registry_->stop();
  d = started();
  make_app("first");
  EXPECT_TRUE(made_by("first", "1", *d));
  EXPECT_TRUE(comes_to("True Running", *d));

  // Without a store there is only the registry, which is awaited.
  d->process().send(SIGTERM);
  ASSERT_EQ(d->process().wait(60s), 0) << d->process().log();
  d = started(false, "empty");
  ASSERT_TRUE(comes_to("False RegistryUnavailable", *d));
  EXPECT_THAT(condition("Stalled", "message"), HasSubstr(registry_->address()));
  registry_->start();
  ASSERT_TRUE(comes_to("True Running", *d));
  make_app("second");
  EXPECT_TRUE(made_by("second", "1", *d));
}

TEST_F(PluginObjects, APluginWorksUntilNoObjectHasItsFinalizer) {
  const auto folder = plugin("1");
  std::ofstream(folder / "plugin.json")
      << replaced(whole(test_plugin("turner") / "plugin.json"), R"("controllers":[{)",
                  R"("controllers":[{"finalizer":true,)");
  const auto ref = pushed(folder, "v1");
  c_.must({"apply", "-f", "-"}, manifest(ref));
  auto d = started();
  make_app("first");
  ASSERT_TRUE(made_by("first", "1", *d));
  EXPECT_THAT(c_.field("plugin", "turner", "", ".metadata.finalizers"),
              HasSubstr("oarlock.dev/plugin"));

  c_.must({"delete", "plugin", "turner", "--wait=false"});
  ASSERT_TRUE(comes_to("True FinalizersPending", *d));
  EXPECT_THAT(condition("Ready", "message"),
              HasSubstr("1 objects carry the finalizer oarlock.dev/turner, such as "
                        "myapps.example.com " +
                        ns_ + "/first"));
  c_.must({"delete", "myapp", "first", "-n", ns_});
  EXPECT_TRUE(eventually([&] { return c_.get("plugin", "turner", "").empty(); }, soon))
      << c_.get("plugin", "turner", "") << d->process().log();
  EXPECT_TRUE(eventually(
      [&] { return metric(d->metrics(), "oarlock_plugin_loaded", {"plugin=\"turner\""}) == 0; },
      soon))
      << d->process().log();
}

TEST_F(PluginObjects, AFollowerHasThemLoadedAndWritesNothing) {
  const auto ref = pushed(plugin("1"), "v1");
  c_.must({"apply", "-f", "-"}, manifest(ref));
  auto leader = started(true);
  ASSERT_TRUE(comes_to("True Running", *leader));
  auto follower = started(true, "other");
  ASSERT_TRUE(eventually(
      [&] { return follower->probe("/readyz").find("[+]plugin/turner ok") != std::string::npos; },
      soon))
      << follower->probe("/readyz") << follower->process().log();
  leader->process().send(SIGTERM);
  ASSERT_EQ(leader->process().wait(60s), 0) << leader->process().log();
  make_app("first");
  EXPECT_TRUE(made_by("first", "1", *follower));
  EXPECT_EQ(ready(), "True Running");
}

}  // namespace
}  // namespace oarlock::testing
