// Row V11 of docs/fault-catalogue.md: two plugins of one daemon want the same child.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/integration/fault_daemon.hpp"

namespace oarlock::testing {
namespace {

const kube::resource rivals_kind{"test.oarlock.dev", "v1", "Rival", "rivals", true};

// Once: the CRD and what the daemon may do, as a person would install them.
void install_rival() {
  static const bool installed = [] {
    const auto made = run({built("bin/oarlock"), "plugin", "manifest", test_plugin("rival"),
                           "--plugin-identity=daemon", "--daemon-user=oarlock"});
    if (made.exit_code != 0) throw std::runtime_error(made.err);
    shared_cluster().must({"apply", "-f", "-"}, made.out);
    shared_cluster().must({"wait", "--for=condition=Established", "crd/rivals.test.oarlock.dev"});
    return true;
  }();
  (void)installed;
}

class FaultClaims : public FaultDaemon {
 protected:
  void claim(int replicas) {
    const auto body =
        fmt::format(R"({{"apiVersion":"test.oarlock.dev/v1","kind":"Rival","metadata":{{"name":)"
                    R"("rival"}},"spec":{{"claims":"web","replicas":{}}}}})",
                    replicas);
    const auto done = admin.call(admin.client().apply(rivals_kind, ns, "rival", body, {"user"}));
    ASSERT_TRUE(done) << done.error().message;
  }
  std::string owner() { return member(children, "web", "/metadata/ownerReferences/0/kind"); }
  bool has(const cache::informer& view, const std::string& name, const std::string& what) {
    return member(view, name, "/status/conditions").find(what) != std::string::npos;
  }
  bool observed(const cache::informer& view, const std::string& name) {
    const auto found = view.get({ns, name});
    return found && member(view, name, "/status/observedGeneration") ==
                        std::to_string(found->meta().generation);
  }
};

TEST_F(FaultClaims, V11_TwoPluginsClaimOneChildAndOnlyItsOwnerEverWritesIt) {
  install_rival();
  const auto& rivals = admin.follow(ns, rivals_kind);
  oarlockd = std::make_unique<daemon>(
      c, daemon::options{{"myapp", test_plugin("rival")}, {}, false, gate_.kubeconfig()});
  ASSERT_TRUE(oarlockd->wait_ready(60s)) << oarlockd->process().log();
  apply("web", 1);
  claim(2);
  const auto settled = [&] {
    return observed(apps, "web") && observed(rivals, "rival") &&
           has(apps, "web", "NameTaken") != has(rivals, "rival", "NameTaken");
  };
  ASSERT_TRUE(eventually(settled, 60s))
      << member(apps, "web", "/status") << member(rivals, "rival", "/status");
  const bool is_apps = owner() == R"("MyApp")";
  EXPECT_EQ(has(apps, "web", "NameTaken"), !is_apps) << owner();
  EXPECT_EQ(member(children, "web", "/spec/replicas"), is_apps ? "1" : "2");

  // Each wants something else: the owner gets it, the other is told no once more.
  const auto child_generation = children.get({ns, "web"})->meta().generation;
  gate_.forget_requests();
  apply("web", 3);
  claim(4);
  const std::string wanted = is_apps ? "3" : "4";
  ASSERT_TRUE(eventually(
      [&] { return settled() && member(children, "web", "/spec/replicas") == wanted; }, 60s));
  EXPECT_EQ(owner(), is_apps ? R"("MyApp")" : R"("Rival")");
  EXPECT_EQ(children.get({ns, "web"})->meta().generation, child_generation + 1);
  EXPECT_EQ(writes("/deployments").size(), 1U) << "no ping-pong";

  // The owner goes, and its child with it: the name is free. The garbage collector may know of a
  // new kind only after half a minute, so the child is deleted here.
  const auto& gone = is_apps ? my_apps : rivals_kind;
  ASSERT_TRUE(admin.call(admin.client().remove(gone, ns, is_apps ? "web" : "rival", {})));
  c.must({"delete", "deployment", "web", "-n", ns, "--ignore-not-found"});
  EXPECT_TRUE(eventually(
      [&] {
        return owner() == (is_apps ? R"("Rival")" : R"("MyApp")") &&
               !has(apps, "web", "NameTaken") && !has(rivals, "rival", "NameTaken");
      },
      60s))
      << member(apps, "web", "/status") << member(rivals, "rival", "/status");
}

}  // namespace
}  // namespace oarlock::testing
