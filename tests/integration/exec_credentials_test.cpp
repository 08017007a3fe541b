// A kubeconfig whose user is a credential plugin, as cloud clusters hand them out: oarlockd works
// with it against a real API server, and asks it again when the server refuses what it gave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

// A folder with a plugin script and a kubeconfig that names it. The script writes down each run.
class exec_credentials : public ::testing::Test {
 protected:
  void SetUp() override {
    source_ = shared_cluster().kubeconfig("oarlock");
    std::ofstream(dir_.path() / "cert.json")
        << R"({"apiVersion":"client.authentication.k8s.io/v1",)"
        << R"("kind":"ExecCredential","status":{)"
        << R"("clientCertificateData":")" << pem("certificate") << R"(","clientKeyData":")"
        << pem("key") << "\"}}";
  }
  std::string of_config(const std::string& path) {
    const auto got = run({built_kubectl(), "config", "view", "--raw", "--minify",
                          "--kubeconfig=" + source_.string(), "-o", "jsonpath={" + path + "}"});
    EXPECT_EQ(got.exit_code, 0) << got.err;
    return got.out;
  }
  static std::string built_kubectl() {
    return (devcluster_tool().parent_path() / "kubectl").string();
  }
  // A PEM text of the user as the inside of a JSON string.
  std::string pem(const std::string& what) {
    const auto decoded =
        run({"base64", "-d"}, of_config(".users[0].user.client-" + what + "-data"));
    std::string out;
    for (const char c : decoded.out)
      out += c == '\n' ? std::string("\\n") : std::string(1, c);
    return out;
  }
  fs::path kubeconfig(const std::string& script) {
    const auto plugin = dir_.path() / "login";
    std::ofstream(plugin) << "#!/bin/sh\necho \"$KUBERNETES_EXEC_INFO\" >>" << runs_file() << "\n"
                          << script;
    fs::permissions(plugin, fs::perms::owner_all);
    const auto file = dir_.path() / "kubeconfig";
    std::ofstream(file) << "current-context: c\ncontexts:\n- name: c\n"
                        << "  context: {cluster: k, user: u}\nclusters:\n- name: k\n  cluster:\n"
                        << "    server: " << of_config(".clusters[0].cluster.server") << "\n"
                        << "    certificate-authority-data: "
                        << of_config(".clusters[0].cluster.certificate-authority-data") << "\n"
                        << "users:\n- name: u\n  user:\n    exec:\n"
                        << "      apiVersion: client.authentication.k8s.io/v1\n"
                        << "      command: ./login\n      interactiveMode: IfAvailable\n"
                        << "      provideClusterInfo: true\n";
    return file;
  }
  fs::path runs_file() const { return dir_.path() / "runs"; }
  [[nodiscard]] std::vector<std::string> runs() const {
    std::vector<std::string> out;
    std::ifstream in(runs_file());
    for (std::string line; std::getline(in, line);)
      out.push_back(line);
    return out;
  }

  scratch_dir dir_;
  fs::path source_;
};

TEST_F(exec_credentials, are_asked_for_once_per_connection_and_used) {
  const auto config = kubeconfig("cat \"$(dirname \"$0\")/cert.json\"\n");
  daemon d(shared_cluster(), {{"myapp"}, {}, false, config});
  ASSERT_TRUE(d.wait_ready(30s)) << d.process().log() << d.probe("/readyz?verbose");
  shared_cluster().must({"apply", "-f", "-"}, myapp_yaml("by-exec", 1));
  EXPECT_TRUE(eventually(
      [] { return !shared_cluster().get("deployment", "by-exec", "default").empty(); }, 20s));
  const auto asked = runs();
  ASSERT_FALSE(asked.empty());
  EXPECT_LE(asked.size(), 2U) << "one for the watches and writes, one for the lease and probes";
  EXPECT_THAT(asked[0], HasSubstr("certificate-authority-data"));
  EXPECT_THAT(asked[0], HasSubstr("\"interactive\":false"));
}

TEST_F(exec_credentials, are_asked_for_again_when_the_server_refuses_them) {
  const auto config = kubeconfig(
      "dir=$(dirname \"$0\")\n"
      "[ \"$(wc -l <\"$dir/runs\")\" -gt 2 ] && exec cat \"$dir/cert.json\"\n"
      "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
      "\"status\":{\"token\":\"stale\"}}'\n");
  daemon d(shared_cluster(), {{"myapp"}, {}, false, config});
  EXPECT_TRUE(d.wait_ready(40s)) << d.process().log() << d.probe("/readyz?verbose");
  EXPECT_GE(runs().size(), 3U);
  EXPECT_THAT(d.process().log(), ::testing::Not(HasSubstr("stale"))) << "no credential in a log";
}

TEST_F(exec_credentials, that_cannot_be_had_say_why) {
  const auto config = kubeconfig("echo 'please log in first' >&2\nexit 1\n");
  daemon d(shared_cluster(), {{"myapp"}, {}, false, config});
  EXPECT_TRUE(eventually(
      [&] { return d.process().log().find("please log in first") != std::string::npos; }, 20s))
      << d.process().log();
}

}  // namespace
}  // namespace oarlock::testing
