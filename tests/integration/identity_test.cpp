// A plugin that acts as itself: what is granted, what it may write, and what happens without it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <csignal>

#include "core/base/asio_timers.hpp"
#include "core/base/system_clock.hpp"
#include "core/kube/connect.hpp"
#include "core/kube/service_account_identity.hpp"
#include "core/plugin/plugin_writes.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* plugin_user = "system:serviceaccount:oarlock-system:oarlock-plugin-myapp";

// `oarlock plugin manifest` for myapp, with more flags.
std::string manifest(std::vector<std::string> flags) {
  std::vector<std::string> argv{built("bin/oarlock"), "plugin", "manifest",
                                source_dir() / "plugins/myapp"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  const auto done = run(argv);
  EXPECT_EQ(done.exit_code, 0) << done.err;
  return done.out;
}

TEST(PluginManifest, IsAcceptedByTheServerWithAndWithoutAScope) {
  shared_cluster().make_namespace("tenant");
  for (const auto& flags :
       std::vector<std::vector<std::string>>{{},
                                             {"--scope-namespace=tenant", "--daemon-user=someone"},
                                             {"--plugin-identity=daemon"}}) {
    const auto answer = shared_cluster().kubectl(
        {"apply", "--dry-run=server", "--validate=strict", "-f", "-"}, manifest(flags));
    EXPECT_EQ(answer.exit_code, 0) << answer.err;
    EXPECT_THAT(answer.out, HasSubstr("customresourcedefinition.apiextensions.k8s.io/"
                                      "myapps.example.com"));
  }
}

// The daemon is a user without any right but those of the manifest.
TEST(PluginIdentity, WaitsForItsGrantsAndThenWritesUnderItsOwnName) {
  const auto& c = shared_cluster();
  const auto from = c.audit_lines();
  c.make_namespace("identity");
  c.must({"apply", "-n", "identity", "-f", "-"}, myapp_yaml("own", 1));
  daemon d(c, {{"myapp"}, {"--plugin-identity=serviceaccount"}, false, c.kubeconfig("narrow")});
  std::string ready;
  ASSERT_TRUE(eventually(
      [&] {
        ready = d.probe("/readyz");
        return ready.find("--daemon-user=narrow | kubectl apply -f -") != std::string::npos;
      },
      30s))
      << ready << d.process().log();
  EXPECT_THAT(ready, HasSubstr("token of ServiceAccount oarlock-system/oarlock-plugin-myapp"));
  EXPECT_THAT(ready, HasSubstr("; apply: oarlock plugin manifest /"));
  EXPECT_EQ(c.get("deployment", "own", "identity"), "");

  c.must({"apply", "-f", "-"}, manifest({"--daemon-user=narrow"}));
  EXPECT_TRUE(d.wait_ready(30s)) << d.probe("/readyz") << d.process().log();
  std::vector<std::string> own;
  for (const char* write : {"patch deployments identity/own 201", "patch myapps identity/own 200",
                            "create events identity/"}) {
    const auto is_it = [&](const std::string& w) { return w.starts_with(write); };
    const auto logged = [&] {
      own = c.writes(plugin_user, from);
      return std::any_of(own.begin(), own.end(), is_it);
    };
    EXPECT_TRUE(eventually(logged, 30s)) << write << d.process().log();
  }
  d.process().send(SIGTERM);
  EXPECT_EQ(d.process().wait(40s), 0) << d.process().log();
  // What the daemon itself sends are questions.
  for (const auto& write : c.writes("narrow", from)) {
    const bool asks = write.starts_with("create serviceaccounts ") ||
                      write.starts_with("create selfsubjectreviews ") ||
                      write.starts_with("create selfsubjectaccessreviews ");
    EXPECT_TRUE(asks) << write;
  }
}

// The client of a plugin as the daemon makes it, with and without the host's own check.
class PluginWrites : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto& c = shared_cluster();
    c.must({"apply", "-f", "-"}, manifest({"--daemon-user=narrow"}));
    auto declared = plugin::read_manifest(source_dir() / "plugins/myapp/plugin.yaml");
    ASSERT_TRUE(declared);
    writes_ = std::make_unique<plugin::plugin_writes>(
        *declared, plugin::plugin_writes::parts{&clock_, &timers_, metrics_.get(), "", {}});
    kube::config_sources sources;
    sources.flag_path = c.kubeconfig("narrow").string();
    auto config = kube::load_cluster_config(sources);
    ASSERT_TRUE(config);
    auto made = kube::connect(io_.get_executor(), clock_, timers_, *config);
    ASSERT_TRUE(made);
    api_ = std::move(*made);
    config->client_cert_data.clear();  // it would win over the token
    config->client_key_data.clear();
    auto bare = kube::connect(io_.get_executor(), clock_, timers_, *config);
    ASSERT_TRUE(bare);
    anonymous_ = std::move(*bare);
    daemon_ = std::make_unique<kube::client>(as(api_, api_.identity.get(), nullptr));
    token_ = kube::make_service_account_identity(
        {io_.get_executor(), daemon_.get(), &clock_, "oarlock-system", "oarlock-plugin-myapp"});
  }
  kube::client::parts as(const kube::connection& over, kube::credentials* who,
                         kube::write_policy* policy) {
    return {io_.get_executor(), over.transport.get(), who,     &clock_,
            &timers_,           metrics_.get(),       nullptr, policy};
  }
  // 0: done; else the error's code.
  int create(const kube::resource& r, const std::string& body, kube::write_policy* policy) {
    kube::client client(as(anonymous_, token_.get(), policy));
    int code = -1;
    boost::asio::co_spawn(io_, client.create(r, "tenancy", body),
                          [&](std::exception_ptr, result<kube::write_answer> got) {
                            code = got ? 0 : got.error().code.value();
                            io_.stop();
                          });
    io_.restart();
    io_.run();
    return code;
  }

  boost::asio::io_context io_;
  system_clock clock_;
  asio_timers timers_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  kube::connection api_;
  kube::connection anonymous_;
  std::unique_ptr<kube::client> daemon_;
  std::shared_ptr<kube::credentials> token_;
  std::unique_ptr<plugin::plugin_writes> writes_;
};

TEST_F(PluginWrites, AreAllowedOrRefusedByTheHostOrRefusedByRbac) {
  const auto& c = shared_cluster();
  c.make_namespace("tenancy");
  const auto from = c.audit_lines();
  const kube::resource deployments{"apps", "v1", "Deployment", "deployments"};
  const kube::resource maps{"", "v1", "ConfigMap", "configmaps"};
  const std::string deployment =
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"replicas":0,)"
      R"("selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},)"
      R"("spec":{"containers":[{"name":"a","image":"a:1"}]}}}})";
  const std::string map = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}})";

  EXPECT_EQ(create(deployments, deployment, writes_.get()), 0);
  EXPECT_EQ(create(maps, map, writes_.get()), static_cast<int>(kube::kube_error::not_declared));
  EXPECT_THAT(metrics_->serialize(), HasSubstr("reason=\"not_declared\"} 1"));
  std::vector<std::string> sent;
  const auto logged = [&](const char* write) {
    return eventually(
        [&] {
          sent = c.writes(plugin_user, from);
          return std::find(sent.begin(), sent.end(), write) != sent.end();
        },
        10s);
  };
  EXPECT_TRUE(logged("create deployments tenancy/a 201"));
  EXPECT_THAT(sent, Not(Contains(HasSubstr("configmaps")))) << "refused before it was sent";

  EXPECT_EQ(create(maps, map, nullptr), static_cast<int>(kube::kube_error::forbidden));
  EXPECT_TRUE(logged("create configmaps tenancy/ 403") || logged("create configmaps tenancy/a 403"))
      << ::testing::PrintToString(sent);
}

}  // namespace
}  // namespace oarlock::testing
