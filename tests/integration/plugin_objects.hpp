#pragma once
// Plugin objects against a real API server and a real registry: what their tests share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/cluster.hpp"
#include "tests/support/registry.hpp"

namespace oarlock::testing {

namespace fs = std::filesystem;

constexpr auto soon = std::chrono::seconds(60);

inline std::string whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << text;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

// In all places where it stands; both have one length, so that nothing in a binary file moves.
inline std::string renamed(std::string bytes, const std::string& from, const std::string& to) {
  EXPECT_EQ(from.size(), to.size());
  std::size_t places = 0;
  for (auto at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + to.size())) {
    bytes.replace(at, from.size(), to);
    ++places;
  }
  EXPECT_GT(places, 0U) << from;
  return bytes;
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
             "serviceaccount/oarlock-plugin-turner", "clusterrolebinding/oarlock-plugin-myapp",
             "clusterrole/oarlock-plugin-myapp", "serviceaccount/oarlock-plugin-myapp"});
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
  // The plugin with this file, JSON, as the CRD of a kind.
  fs::path with_crd(const std::string& crd) {
    const auto folder = plugin("1");
    fs::create_directories(folder / "crds");
    std::ofstream(folder / "crds/example.com_turns.json") << crd;
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
  std::unique_ptr<daemon> started(bool leader_elect = false, const char* store = "store",
                                  const fs::path& program = {},
                                  const std::vector<std::string>& more = {}) {
    daemon::options o{
        {},
        {"--plugin-objects=true", "--namespace=" + ns_,
         "--plugin-store=" + (dir_.path() / store).string(),
         "--image-policy=" + (dir_.path() / "policy.yaml").string(), "--leader-election-id=" + ns_},
        leader_elect,
        {}};
    o.flags.insert(o.flags.end(), more.begin(), more.end());
    // In the place of the program that it would run.
    if (!program.empty()) o.under = {"sh", "-c", "shift; exec \"$0\" \"$@\"", program};
    return std::make_unique<daemon>(c_, o);
  }
  finished oarlock(std::vector<std::string> args, const std::string& ref) {
    std::vector<std::string> argv{built("bin/oarlock"), "plugin", args.at(0), ref};
    argv.insert(argv.end(), args.begin() + 1, args.end());
    return run(argv, {}, std::chrono::seconds(120));
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
  // That version, and nothing is in the way of what is asked for.
  ::testing::AssertionResult runs(const std::string& version, daemon& d,
                                  const std::string& name = "turner") {
    std::string found;
    if (eventually(
            [&] {
              found = c_.field("plugin", name, "", ".status.running.version");
              return found == version;
            },
            soon)) {
      return comes_to("True Running", d, name);
    }
    return ::testing::AssertionFailure() << "version " << found << ", not " << version << "\n"
                                         << d.process().log();
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

}  // namespace oarlock::testing
