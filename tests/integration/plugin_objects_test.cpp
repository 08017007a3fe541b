// Plugin objects against a real API server and a real registry: installed, granted, upgraded,
// refused, taken away.
#include <csignal>

#include "tests/integration/plugin_objects.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

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

// The API server refuses it: it is not called by its group.
constexpr const char* of_no_group =
    R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",)"
    R"("metadata":{"name":"turns.example.com"},"spec":{"group":"example.org",)"
    R"("scope":"Namespaced","names":{"kind":"Turn","plural":"turns"},)"
    R"("versions":[{"name":"v1","served":true,"storage":true,)"
    R"("schema":{"openAPIV3Schema":{"type":"object"}}}]}})";

TEST_F(PluginObjects, WhatIsWrongWithANewRevisionLeavesTheOldOne) {
  const auto v1 = pushed(plugin("1"), "v1");
  c_.must({"apply", "-f", "-"}, manifest(v1));
  make_app("first");
  auto d = started();
  ASSERT_TRUE(comes_to("True Running", *d));
  ASSERT_TRUE(made_by("first", "1", *d));

  const auto first = c_.field("plugin", "turner", "", ".status.running.image");
  EXPECT_THAT(first, HasSubstr("@sha256:"));
  const auto unknown_field = plugin("1");
  std::ofstream(unknown_field / "plugin.json") << replaced(
      whole(test_plugin("turner") / "plugin.json"), R"("spec":{)", R"("spec":{"patience":1,)");
  struct {
    std::string image;
    const char* reason;
    const char* says;
  } const bad[] = {
      {pushed(plugin("2", "turner-2"), "unsigned", ""), "True SignatureMissing", "sign"},
      {pushed(plugin("3", "turner-2"), "theirs", "theirs"), "True SignatureInvalid",
       "do not count"},
      {registry_->ref(ns_ + "/turner:none"), "True ImageNotFound", "turner:none"},
      // The library says that it is version 2.
      {pushed(plugin("4", "turner-2"), "mixed"), "True NotLoaded", R"(found "2" in the library)"},
      {pushed(plugin("3", "turner-3"), "falling"), "True NotLoaded", "SIGABRT"},
      {pushed(plugin("1", "turner", "other"), "renamed"), "True NameMismatch", "called turner"},
      {pushed(unknown_field, "unknown"), "True NotLoaded", R"(unknown key "patience" in spec)"},
      {pushed(with_crd("{}"), "nameless"), "True InvalidImage", "found one without a name"},
      {pushed(with_crd(of_no_group), "crd"), "True AwaitingGrant",
       "expected CRD turns.example.com, found none"},
  };
  for (const auto& one : bad) {
    apply_plugin("turner", one.image);
    ASSERT_TRUE(comes_to(one.reason, *d)) << one.image;
    EXPECT_THAT(condition("Ready", "message"),
                AllOf(HasSubstr("version 1 runs; but"), HasSubstr(one.says)));
    EXPECT_EQ(condition("Stalled", "status"), "True");
    EXPECT_EQ(c_.field("plugin", "turner", "", ".status.running.image"), first);
  }
  // What waits for a CRD that the API server refuses waits until the image changes.
  const auto refused = c_.kubectl({"apply", "--server-side", "-f", "-"},
                                  c_.field("plugin", "turner", "", ".status.missing"));
  EXPECT_THAT(refused.err, HasSubstr("metadata.name: Invalid value"));
  EXPECT_NE(refused.exit_code, 0);
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

// One identity is trusted; another one of the same Sigstore signs, too.
TEST_F(PluginObjects, AnIdentityThatThePolicyDoesNotNameIsRefused) {
  const std::string issuer = "https://issuer.example.com";
  const std::string ours = "https://example.com/team/release";
  const std::string theirs = "https://example.com/fork/release";
  const auto by_us = pushed(plugin("1"), "by-us", "");
  const auto by_them = pushed(plugin("2", "turner-2"), "by-them", "");
  registry_->sign_keyless(dir_.path() / "trusted_root.json", issuer,
                          {{by_us, ours}, {by_them, theirs}});
  std::ofstream(dir_.path() / "policy.yaml") << fmt::format(
      "rules:\n  - name: release\n    match: {0}/**\n    mode: keyless\n"
      "    identities: [{{issuer: \"{1}\", subject: \"{2}\"}}]\n"
      "trustedRootFile: trusted_root.json\nregistry:\n  insecure: [\"{0}\"]\n",
      registry_->address(), issuer, ours);
  c_.must({"apply", "-f", "-"}, manifest(by_them));
  make_app("first");
  auto d = started();
  ASSERT_TRUE(comes_to("False SignatureInvalid", *d));
  EXPECT_EQ(condition("Verified", "status"), "False");
  EXPECT_THAT(condition("Verified", "message"),
              AllOf(HasSubstr("expected a signature by " + ours), HasSubstr(theirs)));
  EXPECT_EQ(c_.field("plugin", "turner", "", ".status.running.image"), "");

  apply_plugin("turner", by_us);
  ASSERT_TRUE(comes_to("True Running", *d));
  EXPECT_EQ(condition("Verified", "status"), "True");
  EXPECT_THAT(condition("Verified", "message"), AllOf(HasSubstr(ours), HasSubstr(issuer)));
  EXPECT_TRUE(made_by("first", "1", *d));

  apply_plugin("turner", by_them);
  ASSERT_TRUE(comes_to("True SignatureInvalid", *d));
  EXPECT_THAT(condition("Ready", "message"), HasSubstr("version 1 runs; but"));
}

TEST_F(PluginObjects, AnInstallAwaitsTheRegistryWhichARestartDoesNotNeed) {
  const auto ref = pushed(plugin("1"), "v1");
  c_.must({"apply", "-f", "-"}, manifest(ref));
  registry_->stop();
  auto d = started();
  ASSERT_TRUE(comes_to("False RegistryUnavailable", *d));
  EXPECT_THAT(condition("Resolved", "message"), HasSubstr(registry_->address()));
  registry_->start();
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

  // What `helm uninstall` asks before the daemon goes, with the daemon's rights.
  const std::vector<std::string> ask_held{built("bin/oarlock"), "plugin", "held",
                                          "--scope-namespace=" + ns_,
                                          "--kubeconfig=" + c_.kubeconfig("oarlock").string()};
  const auto held = run(ask_held);
  EXPECT_EQ(held.exit_code, 1) << held.out;
  const auto by_turner =
      "plugin turner: 1 objects carry its finalizer oarlock.dev/turner, such as "
      "myapps.example.com " +
      ns_ + "/first\n";
  EXPECT_EQ(held.out, by_turner);
  EXPECT_THAT(held.err, HasSubstr("delete them while the daemon runs"));
  // A plugin of another daemon, without a Plugin object.
  auto ask_of_folder = ask_held;
  ask_of_folder.emplace_back("--runtime=other");
  EXPECT_EQ(run(ask_of_folder).exit_code, 0);
  ask_of_folder.push_back(folder);
  EXPECT_EQ(run(ask_of_folder).out, by_turner);

  c_.must({"delete", "plugin", "turner", "--wait=false"});
  ASSERT_TRUE(comes_to("True FinalizersPending", *d));
  EXPECT_THAT(condition("Ready", "message"),
              HasSubstr("1 objects carry the finalizer oarlock.dev/turner, such as "
                        "myapps.example.com " +
                        ns_ + "/first"));
  c_.must({"delete", "myapp", "first", "-n", ns_});
  EXPECT_TRUE(eventually([&] { return c_.get("plugin", "turner", "").empty(); }, soon))
      << c_.get("plugin", "turner", "") << d->process().log();
  EXPECT_EQ(run(ask_held).exit_code, 0);
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

// A registry that asks for a password, which the daemon gets from a Secret and then from a program.
class PrivateRegistry : public PluginObjects {
 protected:
  void SetUp() override {
    PluginObjects::SetUp();
    if (IsSkipped()) return;
    closed_ = std::make_unique<image_registry>(image_registry::kind::with_password);
    c_.must({"create", "role", "pull", "-n", "oarlock-system", "--verb=get", "--resource=secrets",
             "--resource-name=regcred"});
    c_.must(
        {"create", "rolebinding", "pull", "-n", "oarlock-system", "--role=pull", "--user=oarlock"});
    // The grants of the plugin; its image cannot be read without the password.
    const auto grants = oarlock({"manifest", "--daemon-user=oarlock", "--scope-namespace=" + ns_},
                                test_plugin("turner"));
    ASSERT_EQ(grants.exit_code, 0) << grants.err;
    c_.must({"apply", "-f", "-"}, grants.out);
    trust("");
  }
  void TearDown() override {
    PluginObjects::TearDown();
    c_.must({"delete", "--ignore-not-found", "-n", "oarlock-system", "role/pull",
             "rolebinding/pull", "secret/regcred"});
  }
  void trust(const std::string& more) const {
    std::ofstream(dir_.path() / "policy.yaml") << fmt::format(
        "rules:\n  - name: theirs\n    match: {0}/**\n    mode: key\n    keyFiles: [{1}]\n"
        "registry:\n  insecure: [\"{0}\"]\n{2}",
        closed_->address(), (closed_->folder() / "ours.pub").string(), more);
  }
  std::string pushed_closed(const fs::path& folder, const std::string& tag) const {
    const auto ref = closed_->ref("team/turner:" + tag);
    closed_->push(folder, ref);
    closed_->sign(ref);
    return ref;
  }
  void put_secret(const std::string& password) {
    const auto secret =
        c_.must({"create", "secret", "docker-registry", "regcred", "-n", "oarlock-system",
                 "--docker-server=" + closed_->address(),
                 std::string("--docker-username=") + image_registry::user,
                 "--docker-password=" + password, "--dry-run=client", "-o", "yaml"});
    c_.must({"apply", "-f", "-"}, secret);
  }
  // `attempt` makes it another generation, which is tried at once.
  void apply_with(const std::string& image, const std::string& spec, int attempt) {
    c_.must({"apply", "-f", "-"},
            fmt::format("apiVersion: oarlock.dev/v1alpha1\nkind: Plugin\n"
                        "metadata: {{name: turner}}\n"
                        "spec: {{image: \"{}\", quotas: {{metricSeries: {}}}{}}}\n",
                        image, 100 + attempt, spec));
  }

  std::unique_ptr<image_registry> closed_;
};

TEST_F(PrivateRegistry, IsReadWithAPullSecretOrACredentialProvider) {
  const auto v1 = pushed_closed(plugin("1"), "v1");
  const std::string with_secret = ", imagePullSecrets: [{name: regcred}]";
  auto d = started();
  apply_with(v1, "", 1);
  ASSERT_TRUE(comes_to("False Unauthorized", *d));
  apply_with(v1, with_secret, 2);
  ASSERT_TRUE(comes_to("False PullSecret", *d));
  EXPECT_THAT(condition("Ready", "message"), HasSubstr("Secret oarlock-system/regcred"));
  put_secret("wrong");
  apply_with(v1, with_secret, 3);
  ASSERT_TRUE(comes_to("False Unauthorized", *d));
  put_secret(image_registry::password);
  apply_with(v1, with_secret, 4);
  ASSERT_TRUE(comes_to("True Running", *d));

  // The next version without a Secret, by a program as kubelet runs them.
  const auto v2 = pushed_closed(plugin("2", "turner-2"), "v2");
  const auto program = dir_.path() / "bin/vault";
  fs::create_directories(program.parent_path());
  std::ofstream(dir_.path() / "providers.yaml") << fmt::format(
      "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n"
      "  - name: vault\n    apiVersion: credentialprovider.kubelet.k8s.io/v1\n"
      "    matchImages: [\"{}/team\"]\n    defaultCacheDuration: 1h\n",
      closed_->address());
  std::ofstream(program) << "#!/bin/sh\necho sealed >&2\nexit 1\n";
  fs::permissions(program, fs::perms::owner_all);
  trust("credentialProviders: {configFile: providers.yaml, binDir: bin}\n");
  apply_with(v2, "", 5);
  ASSERT_TRUE(comes_to("True Unauthorized", *d));
  EXPECT_THAT(condition("Stalled", "message"),
              HasSubstr("credential provider vault: exit status 1: sealed"));
  const auto answer =
      fmt::format(R"({{"apiVersion":"credentialprovider.kubelet.k8s.io/v1",)"
                  R"("kind":"CredentialProviderResponse","cacheKeyType":"Registry","auth":)"
                  R"({{"{}":{{"username":"{}","password":"{}"}}}}}})",
                  closed_->address(), image_registry::user, image_registry::password);
  std::ofstream(program) << "#!/bin/sh\necho \"$0\" >>\"$0.asked\"\necho '" << answer << "'\n";
  apply_with(v2, "", 6);
  ASSERT_TRUE(runs("2", *d));
  // What it said counts for an hour.
  apply_with(pushed_closed(plugin("1"), "v3"), "", 7);
  ASSERT_TRUE(runs("1", *d));
  EXPECT_EQ(whole(program.string() + ".asked"), program.string() + "\n");
  EXPECT_EQ(d->process().log().find(answer), std::string::npos);
}

}  // namespace
}  // namespace oarlock::testing
