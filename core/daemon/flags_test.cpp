#include "core/daemon/flags.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace oarlock::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

parsed_flags parse(const std::vector<std::string>& args, const std::string& pod_namespace = {}) {
  return parse_flags(args, "9.9.9", pod_namespace);
}

TEST(flags, defaults) {
  const auto p = parse({});
  ASSERT_TRUE(p.run) << p.err;
  EXPECT_TRUE(p.run->leader_elect);
  EXPECT_EQ(p.run->leader_election_id, "oarlock");
  EXPECT_EQ(p.run->leader_election_namespace, "oarlock-system");
  EXPECT_EQ(p.run->metrics, (metrics::bind_address{"", 8443}));
  EXPECT_TRUE(p.run->metrics_secure);
  EXPECT_EQ(p.run->probes, (metrics::bind_address{"", 8081}));
  EXPECT_EQ(p.run->runtime_name, "oarlock");
  EXPECT_FALSE(p.run->max_concurrent_reconciles);
  EXPECT_EQ(p.run->kube_api_qps, 0) << "the server's priority and fairness knows better";
  EXPECT_FALSE(p.run->inbound) << "pods are not listened to";
  EXPECT_TRUE(p.run->plugins.empty());
  EXPECT_TRUE(p.out.empty());
  EXPECT_TRUE(p.err.empty());
}

TEST(flags, are_read) {
  const auto p = parse({"--plugin",
                        "build/plugins/a",
                        "--plugin=b",
                        "--leader-elect=false",
                        "--metrics-bind-address",
                        "127.0.0.1:0",
                        "--metrics-secure=false",
                        "--health-probe-bind-address=0",
                        "--log-level=debug",
                        "--log-format=json",
                        "--max-concurrent-reconciles=3",
                        "--namespace=team",
                        "--events=none",
                        "--kube-api-qps=0.5",
                        "--kube-api-burst=3",
                        "--kubeconfig",
                        "k",
                        "--state-dir=/s",
                        "--runtime-name=two",
                        "--inbound-bind-address=:9443",
                        "--inbound-url=https://pods.example.com:443/oarlock",
                        "--inbound-cert-dir=/c",
                        "--leader-election-namespace=le",
                        "--leader-election-lease-duration=1m",
                        "--leader-election-renew-deadline=40s",
                        "--leader-election-retry-period=500ms"});
  ASSERT_TRUE(p.run) << p.err;
  EXPECT_THAT(p.run->plugins, ElementsAre("build/plugins/a", "b"));
  EXPECT_FALSE(p.run->leader_elect);
  EXPECT_EQ(p.run->metrics, (metrics::bind_address{"127.0.0.1", 0}));
  EXPECT_FALSE(p.run->metrics_secure);
  EXPECT_FALSE(p.run->probes);
  EXPECT_EQ(p.run->log_level, log_level::debug);
  EXPECT_EQ(p.run->log_format, log_format::json);
  EXPECT_EQ(p.run->max_concurrent_reconciles, 3U);
  EXPECT_EQ(p.run->ns, "team");
  EXPECT_FALSE(p.run->events);
  EXPECT_EQ(p.run->kube_api_qps, 0.5);
  EXPECT_EQ(p.run->kube_api_burst, 3U);
  EXPECT_EQ(p.run->kubeconfig, "k");
  EXPECT_EQ(p.run->state_dir, "/s");
  EXPECT_EQ(p.run->inbound, (metrics::bind_address{"", 9443}));
  EXPECT_EQ(p.run->inbound_url, "https://pods.example.com:443/oarlock");
  EXPECT_EQ(p.run->inbound_cert_dir, "/c");
  EXPECT_EQ(p.run->leader_election_id, "two");
  EXPECT_EQ(p.run->leader_election_namespace, "le");
  EXPECT_EQ(p.run->leader_election_lease_duration, std::chrono::seconds(60));
  EXPECT_EQ(p.run->leader_election_renew_deadline, std::chrono::seconds(40));
  EXPECT_EQ(p.run->leader_election_retry_period, std::chrono::milliseconds(500));
}

TEST(flags, booleans_take_an_optional_value) {
  const struct {
    std::vector<std::string> args;
    bool expected;
  } cases[] = {{{"--leader-elect"}, true},
               {{"--leader-elect=true"}, true},
               {{"--leader-elect=false"}, false},
               {{"--leader-elect", "--plugin", "x"}, true}};
  for (const auto& c : cases) {
    const auto p = parse(c.args);
    ASSERT_TRUE(p.run) << p.err;
    EXPECT_EQ(p.run->leader_elect, c.expected) << c.args[0];
  }
}

TEST(flags, plugins_act_as_the_daemon_unless_told_otherwise) {
  EXPECT_EQ(parse({}).run->plugin_identity, identity_kind::daemon);
  const auto own = parse({"--plugin-identity=serviceaccount"}, "prod");
  EXPECT_EQ(own.run->plugin_identity, identity_kind::service_account);
  EXPECT_EQ(own.run->plugin_namespace, "prod");
  EXPECT_EQ(parse({"--plugin-namespace=x"}, "prod").run->plugin_namespace, "x");
  EXPECT_EQ(parse({}).run->plugin_namespace, "oarlock-system");
}

TEST(flags, a_home_is_for_all_plugins_or_for_one) {
  EXPECT_FALSE(parse({}).run->plugins_in_children);
  EXPECT_TRUE(parse({"--plugin-home=child"}).run->plugins_in_children);
  const auto p = parse({"--plugin-home=core,zoo:child,fast:core"});
  ASSERT_TRUE(p.run) << p.err;
  EXPECT_FALSE(p.run->plugins_in_children);
  EXPECT_THAT(p.run->plugin_homes, ElementsAre(std::pair("fast", false), std::pair("zoo", true)));
  EXPECT_THAT(to_yaml(*p.run), HasSubstr("plugin-home: core,fast:core,zoo:child"));
}

TEST(flags, quotas_are_read_and_printed_so_that_they_read_back) {
  const auto p =
      parse({"--plugin-quota=*:writes-per-second=9", "--plugin-quota=a:cache-bytes=1Mi"});
  ASSERT_TRUE(p.run) << p.err;
  EXPECT_EQ(p.run->plugin_quotas.of("a").cache_bytes, 1U << 20U);
  EXPECT_EQ(p.run->plugin_quotas.of("b").writes_per_second, 9U);
  EXPECT_THAT(to_yaml(*p.run), HasSubstr("a:cache-bytes=1Mi"));
}

TEST(flags, configurations_of_plugins_are_files) {
  const auto p = parse({"--plugin-config=a=/etc/a.yaml", "--plugin-config=b=b=c.yaml"});
  ASSERT_TRUE(p.run) << p.err;
  EXPECT_THAT(p.run->plugin_configs.entries(), ElementsAre("a=/etc/a.yaml", "b=b=c.yaml"));
  EXPECT_THAT(to_yaml(*p.run), HasSubstr("plugin-config:\n  - a=/etc/a.yaml\n  - b=b=c.yaml"));
}

TEST(flags, the_pods_namespace_holds_the_lease) {
  EXPECT_EQ(parse({}, "prod").run->leader_election_namespace, "prod");
  EXPECT_EQ(parse({"--leader-election-namespace=x"}, "prod").run->leader_election_namespace, "x");
}

TEST(flags, mistakes_say_expected_and_found) {
  const struct {
    std::vector<std::string> args;
    const char* text;
  } cases[] = {
      {{"--leader-elect=maybe"}, "--leader-elect: expected true or false, found \"maybe\""},
      {{"--log-level=verbose"},
       "--log-level: expected debug, info, warn or error, found \"verbose\""},
      {{"--log-format=xml"}, "--log-format: expected text or json, found \"xml\""},
      {{"--max-concurrent-reconciles=0"}, "expected a number from 1 to 1000, found \"0\""},
      {{"--max-concurrent-reconciles=-1"}, "found \"-1\""},
      {{"--max-concurrent-reconciles=4x"}, "found \"4x\""},
      {{"--max-concurrent-reconciles=1001"}, "found \"1001\""},
      {{"--metrics-bind-address=8443"}, "--metrics-bind-address: expected \":8443\""},
      {{"--health-probe-bind-address=:99999"}, "found \":99999\": the port is not a number"},
      {{"--kube-api-qps=-1"}, "--kube-api-qps: expected 0 for no limit, or requests a second"},
      {{"--kube-api-qps=0.001"}, "found \"0.001\""},
      {{"--kube-api-qps=nan"}, "found \"nan\""},
      {{"--kube-api-qps=1e3"}, "found \"1e3\""},
      {{"--kube-api-burst=0"}, "--kube-api-burst: expected a number from 1 to 100000"},
      {{"--kube-api-burst=1.5"}, "found \"1.5\""},
      {{"--events=some"}, "--events: expected none or all, found \"some\""},
      {{"--plugin-home=moon"}, "--plugin-home: expected core or child, found \"moon\""},
      {{"--plugin-home=core,zoo:moon"}, "--plugin-home: expected core or child, found \"moon\""},
      {{"--plugin-home=:core"}, "--plugin-home: expected core or child, perhaps with PLUGIN:"},
      {{"--plugin-sandbox=no"}, "--plugin-sandbox: expected bestEffort or required"},
      {{"--plugin-exports=no"}, "--plugin-exports: expected warn or refuse"},
      {{"--plugin-quota=a:b=1"}, "--plugin-quota: expected one of writes-per-second"},
      {{"--plugin-config=/etc/a.yaml"}, "--plugin-config: expected PLUGIN=FILE, such as myapp="},
      {{"--plugin-identity=me"}, "--plugin-identity: expected daemon or serviceaccount"},
      {{"--namespace=Team_A"}, "--namespace: expected at most 63 lower-case letters"},
      {{"--runtime-name=" + std::string(64, 'a')}, "--runtime-name: expected at most 63"},
      {{"--leader-election-id=-x"}, "found \"-x\""},
      {{"--metrics-secure=false"}, "Listen on a loopback address such as 127.0.0.1:8443"},
      {{"--metrics-secure=false", "--metrics-bind-address=0.0.0.0:1"}, "0.0.0.0:1 can be reached"},
      {{"--metrics-secure=false", "--metrics-bind-address=127.0.0.1:1", "--metrics-cert-dir=/c"},
       "metrics-cert-dir: expected none"},
      {{"--plugin-objects"}, "plugin-objects: expected plugin-store or state-dir"},
      {{"--inbound-url=http://a", "--inbound-bind-address=:1"}, "expected https://HOST[:PORT]"},
      {{"--inbound-url=https://a/", "--inbound-bind-address=:1"}, "without a / at its end"},
      {{"--inbound-url=https://a b", "--inbound-bind-address=:1"}, "found \"https://a b\""},
      {{"--inbound-url=https://a"}, "inbound-url: expected none without inbound-bind-address"},
      {{"--inbound-cert-dir=/c"}, "inbound-cert-dir: expected none without inbound-bind-address"},
      {{"--config", "/nowhere/x.yaml"}, "expected a readable file, found none at /nowhere/x.yaml"},
      {{"--leader-election-lease-duration=15"}, "expected a duration such as 15s, 1m30s or 500ms"},
      {{"--leader-election-lease-duration=10500ms"}, "expected whole seconds, at least one"},
      {{"--leader-election-lease-duration=0s"}, "expected whole seconds, at least one"},
      {{"--leader-election-lease-duration=10s"},
       "leader-election-renew-deadline: expected less than leader-election-lease-duration, 10s, "
       "found \"10s\""},
      {{"--leader-election-renew-deadline=2400ms"},
       "expected more than 1.2 times leader-election-retry-period, 2s, found \"2400ms\""},
      {{"--leader-election-retry-period=99ms"}, "expected at least 100ms, found \"99ms\""},
      {{"--plugin=a\xce"}, "--plugin: expected UTF-8, found byte 0xce at offset 1"},
      {{"--unknown"}, "--unknown"},
      {{"stray"}, "stray"},
      {{"--plugin"}, "--plugin"},
      {{"--plugin="}, "--plugin"},
  };
  for (const auto& c : cases) {
    const auto p = parse(c.args);
    EXPECT_FALSE(p.run) << c.args[0];
    EXPECT_EQ(p.exit_code, 2) << c.args[0];
    EXPECT_THAT(p.err, HasSubstr(c.text)) << c.args[0];
    EXPECT_TRUE(p.out.empty());
  }
}

TEST(flags, help_and_version_go_to_standard_output) {
  for (const auto* flag : {"--help", "-h", "--version"}) {
    const auto p = parse({flag});
    EXPECT_FALSE(p.run);
    EXPECT_EQ(p.exit_code, 0) << flag;
    EXPECT_TRUE(p.err.empty()) << p.err;
    EXPECT_THAT(p.out, HasSubstr("oarlockd")) << flag;
  }
  const auto help = parse({"--help"}).out;
  for (const auto& s : all_settings())
    EXPECT_THAT(help, HasSubstr(std::string("--") + s.name));
  EXPECT_THAT(parse({"--version"}).out, HasSubstr("9.9.9"));
}

class config_file : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = std::filesystem::path(::testing::TempDir()) /
            ("oarlockd" + std::to_string(getpid()) + ".yaml");
  }
  void TearDown() override { std::filesystem::remove(file_); }
  parsed_flags with(const std::string& yaml, std::vector<std::string> more = {}) {
    std::ofstream(file_) << yaml;
    more.insert(more.begin(), {"--config", file_.string()});
    return parse(more);
  }
  std::filesystem::path file_;
};

TEST_F(config_file, has_the_keys_of_the_flags) {
  const auto p = with(
      "plugin: [a, b]\nleader-elect: false\nlog-level: warn\n"
      "metrics-bind-address: \":9443\"\nmax-concurrent-reconciles: 7\n");
  ASSERT_TRUE(p.run) << p.err;
  EXPECT_THAT(p.run->plugins, ElementsAre("a", "b"));
  EXPECT_FALSE(p.run->leader_elect);
  EXPECT_EQ(p.run->log_level, log_level::warn);
  EXPECT_EQ(p.run->metrics->port, 9443);
  EXPECT_EQ(p.run->max_concurrent_reconciles, 7U);
}

TEST_F(config_file, flags_win) {
  const auto p = with("plugin: [a, b]\nlog-level: warn\nlog-format: json\n",
                      {"--plugin=c", "--log-level=error"});
  ASSERT_TRUE(p.run) << p.err;
  EXPECT_THAT(p.run->plugins, ElementsAre("c"));
  EXPECT_EQ(p.run->log_level, log_level::error);
  EXPECT_EQ(p.run->log_format, log_format::json);
}

TEST_F(config_file, may_be_empty) {
  for (const auto* yaml : {"", "\n", "# nothing\n", "{}\n"}) {
    EXPECT_TRUE(with(yaml).run) << yaml;
  }
}

TEST_F(config_file, mistakes_have_line_and_column) {
  const struct {
    const char* yaml;
    const char* where;
    const char* text;
  } cases[] = {
      {"log-level: verbose\n", ":1:12: ", "log-level: expected debug, info"},
      {"# c\nlog-levle: debug\n", ":2:1: ", "found \"log-levle\"; did you mean log-level?"},
      {"leader-election: true\n", ":1:1: ", "did you mean leader-elect?"},
      {"plugins: [a]\n", ":1:1: ", "did you mean plugin?"},
      {"metrics_bind_address: \"0\"\n", ":1:1: ", "did you mean metrics-bind-address?"},
      {"replicas: 3\n", ":1:1: ", "found \"replicas\"\n"},
      {"leader-election-retry-period: 2\n", ":1:31: ", "expected a duration such as 15s"},
      {"log-level: debug\nlog-level: info\n", ":2:1: ", "expected once, found again"},
      {"leader-elect: yes\n", ":1:15: ", "expected true or false, found \"yes\""},
      {"plugin: a\n", ":1:9: ", "plugin: expected a list"},
      {"plugin: [a, [b]]\n", ":1:13: ", "plugin: expected one value"},
      {"log-level: [debug]\n", ":1:12: ", "log-level: expected one value"},
      {"- a\n", ":1:1: ", "expected a map of settings"},
      {"a: [\n", ":2:1: ", "expected YAML"},
      {"\"x\ty\": 1\n", ":1:1: ", "expected one of "},
  };
  for (const auto& c : cases) {
    const auto p = with(c.yaml);
    EXPECT_FALSE(p.run) << c.yaml;
    EXPECT_EQ(p.exit_code, 2);
    EXPECT_THAT(p.err, HasSubstr(file_.string() + c.where)) << c.yaml;
    EXPECT_THAT(p.err, HasSubstr(c.text)) << c.yaml;
  }
}

TEST_F(config_file, a_mistake_counts_even_where_a_flag_wins) {
  EXPECT_EQ(with("log-level: verbose\n", {"--log-level=info"}).exit_code, 2);
}

TEST_F(config_file, is_bounded) {
  const auto p = with("# " + std::string(5U << 20U, 'x') + "\n");
  EXPECT_EQ(p.exit_code, 2);
  EXPECT_THAT(p.err, HasSubstr("expected at most 4194304 bytes"));
}

TEST_F(config_file, printed_control_characters_read_back) {
  const auto first = parse({"--print-config", "--plugin=-\r", "--plugin", "\ta\n- b\x7F"});
  const auto again = with(first.out, {"--print-config"});
  EXPECT_TRUE(again.err.empty()) << again.err;
  EXPECT_EQ(again.out, first.out);
}

TEST(flags, plugin_images_are_kept_in_the_state_dir_unless_it_is_said) {
  EXPECT_EQ(parse({"--plugin-objects", "--state-dir=/s"}).run->plugin_store, "/s/plugins");
  EXPECT_EQ(parse({"--plugin-objects", "--state-dir=/s", "--plugin-store=/p"}).run->plugin_store,
            "/p");
}

TEST_F(config_file, print_config_reads_back) {
  const auto first =
      parse({"--print-config", "--plugin=a b", "--plugin=c", "--log-level=warn",
             "--metrics-bind-address=[::1]:1", "--namespace=team", "--plugin-home=child"});
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_FALSE(first.run);
  EXPECT_THAT(first.out, HasSubstr("log-level: warn\n"));
  EXPECT_THAT(first.out, HasSubstr("plugin-home: child\nplugin-sandbox: required\n"));
  EXPECT_THAT(first.out, HasSubstr("max-concurrent-reconciles: 16\n"));
  EXPECT_THAT(first.out, HasSubstr("leader-election-id: oarlock\n"));
  const auto again = with(first.out, {"--print-config"});
  EXPECT_TRUE(again.err.empty()) << again.err;
  EXPECT_EQ(again.out, first.out);
}

}  // namespace
}  // namespace oarlock::daemon
