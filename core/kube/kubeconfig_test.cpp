#include "core/kube/kubeconfig.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "core/base/limits.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::kube {
namespace {

namespace fs = std::filesystem;

class kubeconfig_test : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "oarlock-kubeconfig-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    sources_.home = dir_ / "home";
    sources_.service_account = dir_ / "sa";
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::string write(const fs::path& name, const std::string& text) {
    const auto path = dir_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  // A file with one context that uses `cluster` and `user`, each indented by four blanks.
  std::string one_context(const std::string& cluster, const std::string& user = "{}") {
    return "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
           "contexts:\n- name: c\n  context: {cluster: k, user: u, namespace: team}\n"
           "clusters:\n- name: k\n  cluster: " +
           cluster +
           "\n"
           "users:\n- name: u\n  user: " +
           user + "\n";
  }
  std::string exec_user(const std::string& fields) {
    return one_context("{server: 'https://a'}",
                       "{exec: {apiVersion: client.authentication.k8s.io/v1, " + fields + "}}");
  }
  result<cluster_config> load(const std::string& text) {
    sources_.flag_path = write("config", text);
    return load_cluster_config(sources_);
  }
  void make_pod() {
    write("sa/token", "pod-token\n");
    write("sa/ca.crt", "pod-ca");
    write("sa/namespace", "oarlock-system\n");
    sources_.service_host = "10.0.0.1";
    sources_.service_port = "443";
  }

  fs::path dir_;
  config_sources sources_;
};

TEST_F(kubeconfig_test, reads_a_context) {
  const auto got =
      load(one_context("{server: 'https://api.test:6443/k8s', certificate-authority-data: Y2E=, "
                       "tls-server-name: kubernetes}",
                       "{client-certificate: pki/c.crt, client-key: /abs/c.key, token: t}"));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->server, "https://api.test:6443/k8s");
  EXPECT_EQ(got->tls_server_name, "kubernetes");
  EXPECT_EQ(got->ca_data, "ca");
  EXPECT_EQ(got->client_cert_file, (dir_ / "pki/c.crt").string());
  EXPECT_EQ(got->client_key_file, "/abs/c.key");
  EXPECT_EQ(got->token, "t");
  EXPECT_EQ(got->ns, "team");
  EXPECT_EQ(got->origin, sources_.flag_path);
}

TEST_F(kubeconfig_test, prefers_inline_data_to_files_and_token_files_to_tokens) {
  const auto got =
      load(one_context("{server: 'https://a', certificate-authority-data: Y2E=, "
                       "certificate-authority: ca.crt}",
                       "{token: t, tokenFile: ../t/token}"));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->ca_data, "ca");
  EXPECT_EQ(got->ca_file, "");
  EXPECT_EQ(got->token, "");
  EXPECT_EQ(got->token_file, (dir_.parent_path() / "t/token").string());
}

TEST_F(kubeconfig_test, merges_files_as_kubectl_does) {
  const auto first = write("a/config",
                           "contexts:\n- name: c\n  context: {cluster: k, user: u}\n"
                           "clusters:\n- name: k\n  cluster: {server: 'https://first', "
                           "certificate-authority: ca.crt}\n");
  const auto second = write("b/config",
                            "current-context: c\n"
                            "contexts:\n- name: c\n  context: {cluster: other, user: other}\n"
                            "clusters:\n- name: k\n  cluster: {server: 'https://second'}\n"
                            "users:\n- name: u\n  user: {tokenFile: token}\n");
  sources_.env = first + "::" + (dir_ / "absent").string() + ":" + second;
  const auto got = load_cluster_config(sources_);
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->server, "https://first");
  EXPECT_EQ(got->ca_file, (dir_ / "a/ca.crt").string());
  EXPECT_EQ(got->token_file, (dir_ / "b/token").string());
  EXPECT_EQ(got->ns, "default");
  EXPECT_EQ(got->origin, first + ":" + second);
}

TEST_F(kubeconfig_test, looks_in_order) {
  const auto named = [&](const std::string& name) {
    return one_context("{server: 'https://" + name + "'}");
  };
  const auto server = [&] {
    const auto got = load_cluster_config(sources_);
    return got ? got->server : got.error().message;
  };
  EXPECT_TRUE(server().starts_with("no cluster: ")) << server();
  write("home/.kube/config", named("home"));
  EXPECT_EQ(server(), "https://home");
  sources_.service_host = "10.0.0.1";
  sources_.service_port = "443";
  EXPECT_EQ(server(), "https://home") << "no token: not in a pod";
  make_pod();
  EXPECT_EQ(server(), "https://10.0.0.1:443");
  sources_.env = "";
  EXPECT_EQ(server(), "https://10.0.0.1:443") << "an empty KUBECONFIG is none";
  sources_.env = write("env", named("env"));
  EXPECT_EQ(server(), "https://env");
  sources_.flag_path = write("flag", named("flag"));
  EXPECT_EQ(server(), "https://flag");
  sources_.flag_path = (dir_ / "absent").string();
  EXPECT_NE(server().find("absent: expected a file, found none"), std::string::npos)
      << "a flag never falls through: " << server();
}

TEST_F(kubeconfig_test, does_not_fall_through_a_kubeconfig_that_names_nothing) {
  write("home/.kube/config", one_context("{server: 'https://home'}"));
  sources_.env = (dir_ / "absent").string();
  const auto got = load_cluster_config(sources_);
  ASSERT_FALSE(got.has_value());
  EXPECT_NE(got.error().message.find("KUBECONFIG"), std::string::npos) << got.error().message;
}

TEST_F(kubeconfig_test, reads_the_service_account_of_a_pod) {
  make_pod();
  sources_.service_host = "fd00::1";
  const auto got = load_cluster_config(sources_);
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->server, "https://[fd00::1]:443");
  EXPECT_EQ(got->ca_file, (dir_ / "sa/ca.crt").string());
  EXPECT_EQ(got->token_file, (dir_ / "sa/token").string());
  EXPECT_EQ(got->token, "") << "the token rotates: it is read when it is needed";
  EXPECT_EQ(got->ns, "oarlock-system");
  EXPECT_EQ(got->origin, "in-cluster");
}

TEST_F(kubeconfig_test, takes_the_context_that_is_asked_for) {
  sources_.context = "d";
  const auto got = load(one_context("{server: 'https://a'}") + "extensions: [ignored]\n");
  ASSERT_FALSE(got.has_value());
  EXPECT_NE(got.error().message.find("expected a context 'd', found: c"), std::string::npos)
      << got.error().message;
  sources_.context = "c";
  EXPECT_TRUE(load_cluster_config(sources_).has_value());
}

struct bad_config {
  const char* name;
  std::string text;
  std::string complaint;
};

TEST_F(kubeconfig_test, reads_a_credential_plugin) {
  const auto file = write("k", exec_user("command: bin/login, args: [get, token], installHint: x, "
                                         "env: [{name: A, value: b}], provideClusterInfo: true, "
                                         "interactiveMode: IfAvailable"));
  sources_.flag_path = file;
  const auto got = load_cluster_config(sources_);
  ASSERT_TRUE(got.has_value()) << got.error().message;
  ASSERT_TRUE(got->exec);
  EXPECT_EQ(got->exec->command, (fs::path(file).parent_path() / "bin/login").string());
  EXPECT_EQ(got->exec->args, (std::vector<std::string>{"get", "token"}));
  ASSERT_EQ(got->exec->env.size(), 1U);
  EXPECT_EQ(got->exec->env[0].second, "b");
  EXPECT_TRUE(got->exec->provide_cluster_info);
  EXPECT_EQ(got->exec->install_hint, "x");
}

TEST_F(kubeconfig_test, reads_whom_to_act_as) {
  const auto got = load(one_context("{server: 'https://a'}",
                                    "{token: t, as: jane, as-uid: '7', as-groups: [dev, ops], "
                                    "as-user-extra: {acme/team: [x, y]}}"));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  ASSERT_TRUE(got->as);
  std::vector<std::string> lines;
  for (const auto& h : got->as->headers())
    lines.push_back(h.name + ": " + h.value);
  EXPECT_EQ(lines, (std::vector<std::string>{"Impersonate-User: jane", "Impersonate-Uid: 7",
                                             "Impersonate-Group: dev", "Impersonate-Group: ops",
                                             "Impersonate-Extra-acme%2Fteam: x",
                                             "Impersonate-Extra-acme%2Fteam: y"}));
  EXPECT_EQ(got->token, "t") << "who asks for it";
  EXPECT_FALSE(load(one_context("{server: 'https://a'}", "{token: t}"))->as);
}

TEST_F(kubeconfig_test, takes_the_proxy_of_the_cluster_or_of_the_environment) {
  const auto host = [](const result<cluster_config>& got) {
    return got && got->via ? got->via->host : std::string("none");
  };
  sources_.https_proxy = "http://from-env:3128";
  EXPECT_EQ(host(load(one_context("{server: 'https://a', proxy-url: 'http://own:1'}"))), "own");
  EXPECT_EQ(host(load(one_context("{server: 'https://a'}"))), "from-env");
  EXPECT_EQ(host(load(one_context("{server: 'http://a'}"))), "none");
  EXPECT_EQ(host(load(one_context("{server: 'https://127.0.0.1:6443'}"))), "none");
  sources_.no_proxy = "b,a";
  EXPECT_EQ(host(load(one_context("{server: 'https://a'}"))), "none");
  sources_.no_proxy.clear();
  sources_.https_proxy = "socks5://x";
  EXPECT_FALSE(load(one_context("{server: 'https://a'}")));
}

TEST_F(kubeconfig_test, says_what_is_wrong) {
  const std::string ok_server = "{server: 'https://a'}";
  const bad_config cases[] = {
      {"empty", "", "expected a current-context"},
      {"list", "- a\n", "expected a YAML map"},
      {"not_yaml", "a: [\n", "not YAML"},
      {"clusters_no_list", "current-context: c\nclusters: {}\n", "expected a list in clusters"},
      {"no_server", one_context("{}"), "server URL"},
      {"ftp", one_context("{server: 'ftp://a'}"), "no http:// or https://"},
      {"no_cluster", "current-context: c\ncontexts:\n- name: c\n  context: {cluster: k}\n",
       "names cluster 'k', found: none"},
      {"no_user",
       "current-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\n"
       "clusters:\n- name: k\n  cluster: {server: 'https://a'}\n",
       "names user 'u', found: none"},
      {"exec_version", one_context(ok_server, "{exec: {command: aws}}"),
       "expected client.authentication.k8s.io/v1"},
      {"exec_command", exec_user(""), "expected a command"},
      {"exec_terminal", exec_user("command: a, interactiveMode: Always"), "no terminal"},
      {"exec_args", exec_user("command: a, args: {b: c}"), "args: expected a list"},
      {"exec_env", exec_user("command: a, env: [{value: v}]"), "expected entries with a name"},
      {"exec_and_token",
       one_context(ok_server,
                   "{token: t, exec: {apiVersion: client.authentication.k8s.io/v1, "
                   "command: a}}"),
       "found both"},
      {"auth_provider", one_context(ok_server, "{auth-provider: {name: gcp}}"),
       "'auth-provider' is not supported yet"},
      {"basic", one_context(ok_server, "{username: u, password: p}"), "'username'"},
      {"groups_of_nobody", one_context(ok_server, "{as-groups: [g], token: t}"),
       "expected a user beside"},
      {"groups_no_list", one_context(ok_server, "{as: u, as-groups: g}"), "as-groups: expected"},
      {"groups_of_lists", one_context(ok_server, "{as: u, as-groups: [[g]]}"),
       "as-groups: expected"},
      {"extra_no_map", one_context(ok_server, "{as: u, as-user-extra: [g]}"), "expected a map"},
      {"extra_no_list", one_context(ok_server, "{as: u, as-user-extra: {k: v}}"),
       "as-user-extra.k: expected a list"},
      {"proxy", one_context("{server: 'https://a', proxy-url: 'socks5://p'}"), "the scheme socks5"},
      {"bad_base64", one_context("{server: 'https://a', certificate-authority-data: '!'}"),
       "certificate-authority-data: expected base64"},
      {"half_a_pair", one_context(ok_server, "{client-certificate: c.crt}"), "only one of them"},
      {"insecure_and_ca",
       one_context("{server: 'https://a', insecure-skip-tls-verify: true, "
                   "certificate-authority: ca.crt}"),
       "found both"},
      {"too_large", std::string(limits::yaml_file_bytes_max + 1, '#'), "expected at most"},
  };
  for (const auto& c : cases) {
    const auto got = load(c.text);
    ASSERT_FALSE(got.has_value()) << c.name;
    EXPECT_EQ(got.error().code, kube_error::invalid) << c.name;
    EXPECT_NE(got.error().message.find(c.complaint), std::string::npos)
        << c.name << ": " << got.error().message;
    EXPECT_TRUE(got.error().message.starts_with("kubeconfig ") ||
                got.error().message.starts_with("kubeconfig: "))
        << c.name << ": " << got.error().message;
  }
}

}  // namespace
}  // namespace oarlock::kube
