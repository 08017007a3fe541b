// Live reads of a plugin that acts as itself: what plugin.yaml allows, what RBAC allows, and that
// nothing of a Secret stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "tests/integration/zoo_plugin.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class LiveReads : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(In, LiveReads, ::testing::Values("core", "child"),
                         [](const auto& info) { return std::string(info.param); });

std::string secret(const std::string& name) {
  return "---\n{apiVersion: v1, kind: Secret, metadata: {name: " + name +
         "}, stringData: {password: s3cret}}\n";
}

TEST_P(LiveReads, AreThoseOfTheManifestThatRbacAllows) {
  auto& c = shared_cluster();
  const std::string ns = std::string("reads-") + GetParam();
  c.make_namespace(ns);
  c.must({"apply", "-f", "-"}, animals_crd());
  c.must({"wait", "--for=condition=Established", "crd/animals.zoo.example.com"});
  const scratch_dir folder;
  make_zoo(folder.path(), "reader");
  std::ofstream manifest(folder.path() / "plugin.yaml", std::ios::app);
  manifest << "      owns: [{apiVersion: v1, kind: Secret, plural: secrets}]\n"
              "      reads:\n        - {apiVersion: v1, kind: Secret, plural: secrets, "
              "names: [\"{name}-root\"]}\n"
           << std::flush;
  const auto granted = run({built("bin/oarlock"), "plugin", "manifest", folder.path(),
                            "--scope-namespace=" + ns, "--daemon-user=narrow"});
  ASSERT_EQ(granted.exit_code, 0) << granted.err;
  EXPECT_THAT(granted.out,
              HasSubstr("resources: [secrets]\n    verbs: [get, create, patch, delete]\n"));
  c.must({"apply", "-f", "-"}, granted.out);
  // Declared by now, and not granted.
  manifest << "        - {apiVersion: v1, kind: ConfigMap, plural: configmaps}\n" << std::flush;

  c.must({"apply", "-n", ns, "-f", "-"}, secret("secret-there-root") + secret("effect-there-root") +
                                             secret("stranger") + animal("secret-there") +
                                             animal("secret-lacks") + animal("effect-there") +
                                             animal("stranger-one") + animal("config-one") +
                                             animal("leads-one") + animal("make-one"));
  daemon d(c, {{folder.path().string()},
               {"--plugin-identity=serviceaccount", "--namespace=" + ns,
                std::string("--plugin-home=") + GetParam()},
               false,
               c.kubeconfig("narrow")});
  ASSERT_TRUE(d.wait_ready(30s)) << d.probe("/readyz") << d.process().log();
  const auto becomes = [&](const char* name, const std::string& path, const std::string& value) {
    std::string found;
    EXPECT_TRUE(eventually(
        [&] { return (found = c.field("animal", name, ns, path)).find(value) == 0; }, 30s))
        << name << ": " << found << d.process().log();
  };
  const std::string stalled = ".status.conditions[?(@.type==\"Stalled\")]";
  becomes("secret-there", ".status.saw.password", "8");
  becomes("secret-lacks", ".status.saw.there", "false");
  becomes("stranger-one", stalled + ".reason", "NotDeclared");
  becomes("config-one", stalled + ".reason", "Forbidden");
  becomes("make-one", ".status.saw.password", "8");
  EXPECT_EQ(c.field("secret", "make-one-root", ns, ".metadata.ownerReferences[0].name"),
            "make-one");
  becomes("leads-one", ".status.saw.leads", "true");
  becomes("effect-there", stalled + ".reason", "Saw");
  becomes("effect-there", stalled + ".message", "effect read: {\"there\":true,\"password\":8}");
  d.process().send(SIGTERM);
  EXPECT_EQ(d.process().wait(40s), 0) << d.process().log();
  for (const char* value : {"s3cret", "czNjcmV0"})
    EXPECT_THAT(d.process().log(), Not(HasSubstr(value)));
}

}  // namespace
}  // namespace oarlock::testing
