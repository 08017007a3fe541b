#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/base/base64.hpp"
#include "core/json/parse.hpp"
#include "core/package/crd_fit.hpp"
#include "core/package/errors.hpp"
#include "core/package/fetch.hpp"
#include "core/package/image_policy.hpp"
#include "core/package/plugin_object.hpp"
#include "core/plugin/quota.hpp"

namespace oarlock::package {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

rapidjson::Document parsed(const std::string& text) {
  auto doc = json::parse(text);
  EXPECT_TRUE(doc) << text;
  return std::move(*doc);
}

// ---------------------------------------------------------------- oarlock-fetch

TEST(answer_of_fetch, says_what_was_pulled) {
  const auto got = parse_answer(
      R"({"version":1,"image":"r/x@sha256:1","digest":"sha256:1","verification":{"rule":"ours",)"
      R"("mode":"key","signer":"sha256:k"},)"
      R"("files":[{"path":"plugin.json","size":1,"sha256":"f"}]})");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->digest, "sha256:1");
  EXPECT_EQ(got->rule + " " + got->mode + " " + got->signer, "ours key sha256:k");
  EXPECT_EQ(got->files.at("plugin.json"), "f");
}

TEST(answer_of_fetch, a_refusal_keeps_its_reason) {
  const auto got = parse_answer(
      R"({"version":1,"error":{"reason":"RateLimited","message":"slow","retryAfterSeconds":7}})");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, package_error::rate_limited);
  EXPECT_EQ(got.error().code.message(), "RateLimited");
  EXPECT_EQ(got.error().message, "slow");
  EXPECT_EQ(got.error().retry_after, std::chrono::seconds(7));
}

TEST(answer_of_fetch, anything_else_is_the_helpers_failure) {
  for (const char* text :
       {"", "{}", R"({"version":2})", R"({"version":1})",
        R"({"version":1,"digest":"sha256:1","verification":{"mode":"key"},"files":[]})",
        R"({"version":1,"digest":"sha256:1","files":[{"path":"a","sha256":"b"}]})",
        R"({"version":1,"error":{"reason":"Nonsense"}})"}) {
    const auto got = parse_answer(text);
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code, package_error::helper_failed) << text;
  }
}

TEST(request_to_fetch, holds_policy_registry_and_credentials) {
  fetch_request request;
  request.image = "r/x:1";
  request.output = "/o";
  request.store = "/s";
  request.docker_config = R"({"auths":{"r":{"auth":"x"}}})";
  request.admin.registry = R"({"insecure":["r"]})";
  request.admin.policy = R"({"rules":[{"name":"a"}]})";
  const auto doc = parsed(request_json(request));
  EXPECT_EQ(json::string_at(doc, "/registry/storeDir"), "/s");
  EXPECT_EQ(json::string_at(doc, "/registry/insecure/0"), "r");
  EXPECT_EQ(json::string_at(doc, "/registry/dockerConfig/auths/r/auth"), "x");
  EXPECT_EQ(json::string_at(doc, "/policy/rules/0/name"), "a");
  EXPECT_EQ(json::int_at(doc, "/timeoutMillis"), 120000);
}

TEST(repository_of, drops_tag_and_digest_and_keeps_a_port) {
  EXPECT_EQ(repository_of("r:5000/a/b:v1"), "r:5000/a/b");
  EXPECT_EQ(repository_of("r:5000/a/b@sha256:00"), "r:5000/a/b");
  EXPECT_EQ(repository_of("r:5000/a/b:v1@sha256:00"), "r:5000/a/b");
  EXPECT_EQ(repository_of("r/a"), "r/a");
}

TEST(docker_configs, add_up_and_the_first_wins) {
  const auto secret = [](const std::string& config) {
    return R"({"type":"kubernetes.io/dockerconfigjson","data":{".dockerconfigjson":")" +
           base64_encode(config) + "\"}}";
  };
  docker_configs all;
  EXPECT_EQ(all.json(), "");
  ASSERT_TRUE(all.add("ns/a", secret(R"({"auths":{"r":{"auth":"1"}}})")));
  ASSERT_TRUE(all.add("ns/b", secret(R"({"auths":{"r":{"auth":"2"},"q":{"auth":"3"}}})")));
  EXPECT_EQ(all.json(), R"({"auths":{"r":{"auth":"1"},"q":{"auth":"3"}}})");

  const auto opaque = all.add("ns/c", R"({"type":"Opaque","data":{"password":"hunter2"}})");
  ASSERT_FALSE(opaque);
  EXPECT_EQ(opaque.error().code, package_error::pull_secret);
  EXPECT_THAT(opaque.error().message, HasSubstr("Secret ns/c: expected type"));
  for (const auto& broken : {secret("no json"), secret("{}"), std::string("{")}) {
    const auto done = all.add("ns/d", broken);
    EXPECT_FALSE(done) << broken;
  }
}

TEST(answer_of_providers, has_credentials_a_cache_and_what_failed) {
  const auto got = parse_credentials(
      R"({"version":1,"dockerConfig":{"auths":{"r":{"username":"a"}}},"cache":[{"key":"global"}],)"
      R"("problems":["one","two"]})");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->problems, "one; two");
  EXPECT_EQ(got->cache, R"([{"key":"global"}])");
  docker_configs all;
  all.add_config(R"({"auths":{}})");
  EXPECT_EQ(all.json(), "");
  all.add_config(got->docker_config);
  EXPECT_EQ(all.json(), R"({"auths":{"r":{"username":"a"}}})");

  const auto refused =
      parse_credentials(R"({"version":1,"error":{"reason":"PolicyInvalid","message":"no"}})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, package_error::policy_invalid);
  for (const char* text : {"", "{}", R"({"version":1})", R"({"version":2,"dockerConfig":{}})"}) {
    const auto other = parse_credentials(text);
    ASSERT_FALSE(other) << text;
    EXPECT_EQ(other.error().code, package_error::helper_failed) << text;
  }
}

// ---------------------------------------------------------------- the administrator's policy

class image_policy_file : public ::testing::Test {
 protected:
  image_policy_file() {
    std::string name = (fs::temp_directory_path() / "oarlock-policy-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~image_policy_file() override { fs::remove_all(folder_); }
  result<image_policy> read(const std::string& text) {
    std::ofstream(folder_ / "policy.yaml") << text;
    return read_image_policy(folder_ / "policy.yaml");
  }
  fs::path folder_;
};

TEST_F(image_policy_file, takes_in_the_files_that_it_names) {
  std::ofstream(folder_ / "a.pub") << "KEY A";
  std::ofstream(folder_ / "ca.crt") << "CA";
  std::ofstream(folder_ / "root.json") << R"({"mediaType":"x"})";
  const auto got = read(
      "rules:\n"
      "  - {name: a, match: r/**, mode: key, keyFiles: [a.pub]}\n"
      "  - {name: b, match: q/x, mode: key, keys: [KEY B], keyFiles: [a.pub]}\n"
      "trustedRootFile: root.json\n"
      "registry: {insecure: [\"r:5000\"], caFile: ca.crt}\n"
      "imagePullSecrets: [{name: regcred}]\n");
  ASSERT_TRUE(got) << got.error().message;
  const auto policy = parsed(got->policy);
  EXPECT_EQ(json::string_at(policy, "/rules/0/keys/0"), "KEY A");
  EXPECT_EQ(json::find(policy, "/rules/0/keyFiles"), nullptr);
  EXPECT_EQ(json::string_at(policy, "/rules/1/keys/0"), "KEY B");
  EXPECT_EQ(json::string_at(policy, "/rules/1/keys/1"), "KEY A");
  EXPECT_EQ(json::string_at(policy, "/trustedRoot/mediaType"), "x");
  EXPECT_EQ(got->registry, R"({"insecure":["r:5000"],"caPem":"CA"})");
  EXPECT_THAT(got->pull_secrets, ElementsAre("regcred"));
}

TEST_F(image_policy_file, takes_in_kubelets_file_of_credential_providers) {
  std::ofstream(folder_ / "providers.yaml")
      << "apiVersion: kubelet.config.k8s.io/v1\nproviders: [{name: vault}]\n";
  const auto got = read("credentialProviders: {configFile: providers.yaml, binDir: bin}\n");
  ASSERT_TRUE(got) << got.error().message;
  const auto request = parsed(credentials_request_json("r/x:1", *got, R"([{"provider":"vault"}])"));
  EXPECT_EQ(json::string_at(request, "/image"), "r/x:1");
  EXPECT_EQ(json::string_at(request, "/config/providers/0/name"), "vault");
  EXPECT_EQ(json::string_at(request, "/binDir"), (folder_ / "bin").string());
  EXPECT_EQ(json::string_at(request, "/cache/0/provider"), "vault");
}

TEST_F(image_policy_file, without_one_no_rule_lets_anything_pass) {
  const auto got = read_image_policy({});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->policy, R"({"rules":[]})");
}

TEST_F(image_policy_file, a_mistake_is_an_error_and_never_a_weaker_policy) {
  const std::pair<const char*, const char*> cases[] = {
      {"rule: []\n",
       "expected one of rules, trustedRootFile, registry, imagePullSecrets, "
       "credentialProviders, found"},
      {"rules: {}\n", "rules: expected a list"},
      {"rules: [a]\n", "rules: expected maps"},
      {"rules: [{name: a, keyFiles: [missing.pub]}]\n", "missing.pub"},
      {"rules: [{name: a, keyFiles: missing.pub}]\n", "keyFiles: expected a list"},
      {"registry: {mirror: []}\n", "registry: expected one of insecure, mirrors, caFile, found"},
      {"registry: []\n", "registry: expected a map"},
      {"imagePullSecrets: [regcred]\n", "expected items like {name: regcred}"},
      {"trustedRootFile: missing.json\n", "missing.json"},
      {"credentialProviders: {configFile: p.yaml}\n", "expected configFile and binDir"},
      {"credentialProviders: {binDir: bin, config: p}\n", "expected one of configFile, binDir"},
      {"credentialProviders: {configFile: none.yaml, binDir: bin}\n", "none.yaml"},
      {"- a\n", "expected a map"},
      {"a: [\n", "policy.yaml"},
  };
  for (const auto& [text, says] : cases) {
    const auto got = read(text);
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code, package_error::policy_invalid) << text;
    EXPECT_THAT(got.error().message, HasSubstr(says)) << text;
  }
  EXPECT_FALSE(read_image_policy(folder_ / "none.yaml"));
}

// ---------------------------------------------------------------- CRDs

std::string crd(const std::string& versions) {
  return R"({"spec":{"group":"g","scope":"Namespaced","names":{"plural":"cats","kind":"Cat"},)"
         R"("versions":[)" +
         versions + "]}}";
}
std::string version(const std::string& name, const std::string& schema,
                    const std::string& more = {}) {
  return R"({"name":")" + name + R"(","served":true,"schema":{"openAPIV3Schema":)" + schema + "}" +
         more + "}";
}
std::string gap(const std::string& wanted, const std::string& live) {
  return crd_gap(parsed(wanted), parsed(live));
}

TEST(crd_gap, a_cluster_may_have_more_and_not_less) {
  const std::string small = R"({"properties":{"spec":{"properties":{"a":{"type":"string"}}}}})";
  const std::string large =
      R"({"properties":{"spec":{"properties":{"a":{},"b":{"items":{"properties":{"c":{}}}}}}}})";
  EXPECT_EQ(gap(crd(version("v1", small)), crd(version("v1", small))), "");
  EXPECT_EQ(gap(crd(version("v1", small)), crd(version("v2", small) + "," + version("v1", large))),
            "");
  EXPECT_EQ(gap(crd(version("v1", large)), crd(version("v1", small))),
            "the field .spec.b of version v1");
  EXPECT_EQ(gap(crd(version("v1", R"({"additionalProperties":{"properties":{"x":{}}}})")),
                crd(version("v1", R"({"additionalProperties":{}})"))),
            "the field [].x of version v1");
  EXPECT_EQ(gap(crd(version("v2", small)), crd(version("v1", small))), "version v2");
  EXPECT_EQ(
      gap(crd(version("v1", small, R"(,"subresources":{"status":{}})")), crd(version("v1", small))),
      "the status subresource of version v1");
  EXPECT_EQ(gap(crd(version("v1", small)), R"({"spec":{"group":"other"}})"),
            "/spec/group \"g\" (found \"other\")");
  EXPECT_NE(gap("{}", crd(version("v1", small))), "");
  // What is not served needs nobody.
  EXPECT_EQ(gap(crd(R"({"name":"v0","served":false},)" + version("v1", small)),
                crd(version("v1", small))),
            "");
}

// ---------------------------------------------------------------- the Plugin

TEST(plugin_object, is_read_with_its_quotas_and_status) {
  const auto got = parse_plugin(
      R"({"metadata":{"name":"myapp","uid":"u","resourceVersion":"5","generation":3,)"
      R"("finalizers":["a/b"],"creationTimestamp":"2026-01-02T03:04:05Z","deletionTimestamp":"x"},)"
      R"("spec":{"image":"r/x:1","runtime":"oarlock","home":"core","paused":true,)"
      R"("config":{"a":[1]},"imagePullSecrets":[{"name":"s"}],)"
      R"("quotas":{"writesPerSecond":5,"cacheBytes":"64Mi"}},)"
      R"("status":{"observedGeneration":2,"resolved":{"from":"r/x:1","image":"r/x@sha256:1"},)"
      R"("running":{"runtime":"two","image":"r/x@sha256:0","version":"1"},)"
      R"("kinds":["myapps.example.com"],)"
      R"("conditions":[{"type":"Ready","status":"True","reason":"Running","message":"m",)"
      R"("lastTransitionTime":"2026-01-02T03:04:06Z"}]}})");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->image, "r/x:1");
  EXPECT_TRUE(got->in_core && got->paused && got->deleting);
  EXPECT_EQ(got->config, R"({"a":[1]})");
  EXPECT_THAT(got->pull_secrets, ElementsAre("s"));
  EXPECT_THAT(got->quotas, ElementsAre("myapp:writes-per-second=5", "myapp:cache-bytes=64Mi"));
  plugin::quota_table table;
  for (const auto& entry : got->quotas)
    EXPECT_TRUE(table.add(entry)) << entry;
  EXPECT_EQ(table.of("myapp").cache_bytes, 64U << 20U);
  EXPECT_EQ(got->status.resolved_image, "r/x@sha256:1");
  EXPECT_EQ(got->status.running_image, "r/x@sha256:0");
  EXPECT_EQ(got->status.running_runtime, "two");
  EXPECT_THAT(got->status.kinds, ElementsAre("myapps.example.com"));
  ASSERT_EQ(got->status.conditions.size(), 1U);
  EXPECT_EQ(got->status.conditions[0].since, "2026-01-02T03:04:06Z");
}

TEST(plugin_object, every_quota_of_the_crd_is_one_of_the_daemons) {
  const auto got = parse_plugin(
      R"({"metadata":{"name":"a"},"spec":{"quotas":{"writesPerSecond":1,"writesInFlight":2,)"
      R"("concurrentReconciles":3,"cacheBytes":"4","logLinesPerSecond":5,"enqueuesPerSecond":6,)"
      R"("metricSeries":7,"childMemoryBytes":"8Mi"}}})");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->quotas.size(), 8U);
  plugin::quota_table table;
  for (const auto& entry : got->quotas)
    EXPECT_TRUE(table.add(entry)) << entry;
}

TEST(plugin_status, is_written_as_it_is_read_and_keeps_transition_times) {
  plugin_status s;
  s.observed_generation = 4;
  s.resolved_from = "r/x:1";
  s.resolved_image = "r/x@sha256:1";
  s.running_runtime = "oarlock";
  s.running_version = "1";
  s.kinds = {"a.b"};
  s.missing = "---\nkind: \"X\"\n";
  s.conditions = {{"Ready", "True", "Running", "fine"}, {"Stalled", "False", "Progressing", ""}};
  plugin_status before;
  before.conditions = {{"Ready", "True", "Other", "", "2020-01-01T00:00:00Z"},
                       {"Stalled", "True", "Other", "", "2020-01-01T00:00:00Z"}};
  keep_transitions(before, s, wall_time{});
  EXPECT_EQ(s.conditions[0].since, "2020-01-01T00:00:00Z");
  EXPECT_EQ(s.conditions[1].since, "1970-01-01T00:00:00Z");
  const auto back = parse_plugin(status_body("x", s));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->name, "x");
  EXPECT_EQ(status_body("x", back->status), status_body("x", s));
}

TEST(package_error_names, are_the_reasons_of_conditions) {
  EXPECT_EQ(make_error_code(package_error::invalid_request).message(), "InvalidRequest");
  EXPECT_EQ(make_error_code(package_error::output_failed).message(), "OutputFailed");
  EXPECT_EQ(make_error_code(package_error::helper_failed).message(), "HelperFailed");
  EXPECT_EQ(make_error_code(package_error::awaiting_grant).message(), "AwaitingGrant");
  EXPECT_EQ(make_error_code(package_error::waits_for_leader).message(), "WaitsForLeader");
  for (int i = 1; i <= static_cast<int>(package_error::waits_for_leader); ++i) {
    const auto code = static_cast<package_error>(i);
    EXPECT_EQ(error_of(make_error_code(code).message()), code);
  }
}

}  // namespace
}  // namespace oarlock::package
