// Requests of pods against a real API server: who is heard, what a plan gets to know, and by which
// replica.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "core/base/base64.hpp"
#include "tests/integration/zoo_plugin.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* audience = "oarlock.inbound.oarlock.dev";

// Of the plugin "zoo", which acts as the daemon.
constexpr const char* rights = R"(apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: zoo-of-inbound}
rules:
  - {apiGroups: [zoo.example.com], resources: [animals, animals/status],
     verbs: [get, list, watch, patch, update]}
  - {apiGroups: ["", events.k8s.io], resources: [events], verbs: [create, patch, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: zoo-of-inbound}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: zoo-of-inbound}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: oarlock}]
)";

std::string pod_yaml(const std::string& name) {
  return "---\n{apiVersion: v1, kind: Pod, metadata: {name: " + name +
         "}, spec: {serviceAccountName: trainer, automountServiceAccountToken: false, containers: "
         "[{name: c, image: none}]}}\n";
}

// Namespaces with a pod each that no node runs, and Animals whose plans show their notes.
class pods {
 public:
  explicit pods(cluster& c) : c_(c) {
    c.must({"apply", "-f", (source_dir() / "deploy/inbound.yaml").string()});
    c.must({"apply", "-f", "-"}, animals_crd());
    c.must({"wait", "--for=condition=Established", "crd/animals.zoo.example.com"});
    c.must({"apply", "-f", "-"}, rights);
    make_zoo(plugin_.path(), "contract-cpp");
  }
  void make(const std::string& ns) {
    c_.make_namespace(ns);
    c_.must({"create", "serviceaccount", "trainer", "-n", ns});
    c_.must({"apply", "-n", ns, "-f", "-"}, pod_yaml("train-0") + animal("notes"));
  }
  [[nodiscard]] std::string token(const std::string& ns, const std::string& of = audience,
                                  bool of_pod = true) const {
    std::vector<std::string> args{"create", "token", "trainer", "-n", ns, "--audience=" + of};
    if (of_pod) {
      args.insert(args.end(), {"--bound-object-kind=Pod", "--bound-object-name=train-0",
                               "--bound-object-uid=" + uid(ns)});
    }
    auto text = c_.must(args);
    while (!text.empty() && text.back() == '\n')
      text.pop_back();
    return text;
  }
  [[nodiscard]] std::string uid(const std::string& ns) const {
    return c_.field("pod", "train-0", ns, ".metadata.uid");
  }
  [[nodiscard]] std::string plugin() const { return plugin_.path().string(); }
  /// The certificate that pods are told to trust, as a file.
  [[nodiscard]] std::string ca_file() const {
    const auto text =
        base64_decode(c_.field("secret", "oarlock-inbound", "oarlock-system", ".data.tls\\.crt"));
    const auto file = plugin_.path() / "ca.crt";
    std::ofstream(file) << (text ? *text : "");
    return file.string();
  }

 private:
  cluster& c_;
  scratch_dir plugin_;
};

struct answer {
  int status = 0;
  std::string text;  ///< head and body
};

// One request over verified TLS. An empty token: none is sent.
class client {
 public:
  client(std::string address, std::string ca) : address_(std::move(address)), ca_(std::move(ca)) {}

  [[nodiscard]] answer post(const std::string& path, const std::string& token,
                            const std::string& body = "{}") const {
    std::vector<std::string> argv{"curl", "-s", "-i", "--max-time", "20", "--cacert", ca_};
    if (!token.empty()) argv.insert(argv.end(), {"-H", "Authorization: Bearer " + token});
    argv.insert(argv.end(), {"--data-binary", "@-", "https://" + address_ + path});
    const auto done = run(argv, body);
    answer out{0, done.out + done.err};
    // Behind "100 Continue", if there is one.
    const auto at = out.text.rfind("HTTP/1.1 ");
    if (at != std::string::npos) out.status = std::stoi(out.text.substr(at + 9, 3));
    return out;
  }
  /// The statuses of so many requests on one connection after another.
  [[nodiscard]] std::multiset<std::string> flood(const std::string& path, const std::string& token,
                                                 int count) const {
    const auto done =
        run({"curl", "-s", "--max-time", "40", "--cacert", ca_, "-H",
             "Authorization: Bearer " + token, "-o", "/dev/null", "-w", "%{http_code}\n",
             "https://" + address_ + path + "?[1-" + std::to_string(count) + "]"});
    std::istringstream lines(done.out);
    std::multiset<std::string> out;
    for (std::string line; std::getline(lines, line);)
      out.insert(line);
    return out;
  }

 private:
  std::string address_;
  std::string ca_;
};

daemon::options with_door(const pods& p, std::vector<std::string> more, bool leader_elect) {
  std::vector<std::string> flags{"--inbound-bind-address=127.0.0.1:0"};
  flags.insert(flags.end(), more.begin(), more.end());
  return {{p.plugin()}, std::move(flags), leader_elect, {}};
}

TEST(Inbound, WhatAPodSaysIsInThePlanAndNobodyElseIsHeard) {
  auto& c = shared_cluster();
  pods p(c);
  p.make("speaks");
  p.make("silent");
  daemon d(c, with_door(p, {}, false));
  ASSERT_TRUE(d.wait_ready(30s)) << d.probe("/readyz") << d.process().log();
  const client door(d.inbound_address(), p.ca_file());
  const std::string path = "/v1/zoo/speaks/notes";
  const auto token = p.token("speaks");

  const auto said = door.post(path + "/note", token, R"({"step":7})");
  ASSERT_EQ(said.status, 204) << said.text << d.process().log();
  const auto notes = [&](const char* field) { return c.field("animal", "notes", "speaks", field); };
  EXPECT_TRUE(eventually(
      [&] {
        return notes(".status.notes")
            .starts_with("[\"progress trainer train-0 " + p.uid("speaks") + " 10-");
      },
      30s))
      << notes(".status") << d.process().log();
  EXPECT_THAT(notes(".status.inbound"),
              StartsWith("https://oarlock-inbound.oarlock-system.svc:" +
                         d.inbound_address().substr(d.inbound_address().rfind(':') + 1) +
                         "/v1/zoo " + audience));
  EXPECT_EQ(c.field("animal", "notes", "silent", ".status.notes"), "[]");

  const struct {
    const char* what;
    std::string path;
    std::string token;
    std::string body;
    int status;
    const char* text;
  } cases[] = {
      {"no token", path, "", "{}", 401, "Authorization: Bearer"},
      {"no token at all", path, "a.b.c", "{}", 401, "for the audience"},
      {"the API server's audience", path, p.token("speaks", "https://kubernetes.default.svc"), "{}",
       401, "for the audience"},
      {"no pod's", path, p.token("speaks", audience, false), "{}", 403, "bound to a pod"},
      {"a pod of another namespace", path + "/note", p.token("silent"), "{}", 403,
       "expected a pod of namespace speaks, found one of silent"},
      {"no such object", "/v1/zoo/speaks/nobody/note", token, "{}", 404, "expected an object"},
      {"no such plugin", "/v1/lion/speaks/notes", token, "{}", 404, "expected a plugin"},
      {"another path", "/metrics", token, "{}", 404, "/v1/<plugin>"},
      {"not what the plugin takes", path + "/note", token, "{", 400, ""},
      {"too large", path + "/note", token, std::string(70000, 'x'), 413, "at most 65536 bytes"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.what);
    const auto refused = door.post(one.path, one.token, one.body);
    EXPECT_EQ(refused.status, one.status) << refused.text;
    EXPECT_THAT(refused.text, HasSubstr(one.text));
  }
  EXPECT_THAT(notes(".status.notes"), HasSubstr(p.uid("speaks"))) << "nobody else spoke for it";

  const auto flood = door.flood(path + "/quiet", token, 200);
  EXPECT_GT(flood.count("429"), 0U) << "expected a pod to be held back";
  EXPECT_EQ(door.post(path + "/quiet", p.token("silent")).status, 403) << "others are not";
  const auto metrics = d.metrics();
  EXPECT_EQ(metric(metrics, "oarlock_inbound_requests_total", {"code=\"401\""}), 3);
  EXPECT_EQ(metric(metrics, "oarlock_inbound_requests_total", {"code=\"429\""}),
            static_cast<double>(flood.count("429")));
  for (const auto& secret : {token, p.token("speaks")})
    EXPECT_EQ(d.process().log().find(secret), std::string::npos) << "a token is in the log";
}

TEST(Inbound, FollowersSayWhenToAskAgainAndTakeOverWithTheSameAuthority) {
  auto& c = shared_cluster();
  pods p(c);
  p.make("moves");
  daemon first(c, with_door(p, {"--plugin-home=child"}, true));
  ASSERT_TRUE(first.wait_ready(30s)) << first.probe("/readyz") << first.process().log();
  const auto ca = p.ca_file();
  EXPECT_EQ(c.field("secret", "oarlock-inbound", "oarlock-system", ".metadata.labels"),
            R"({"app.kubernetes.io/part-of":"oarlock"})")
      << "the daemon fills it, and changes nothing else";
  const std::string path = "/v1/zoo/moves/notes/note";
  const auto token = p.token("moves");
  const client to_first(first.inbound_address(), ca);
  ASSERT_TRUE(eventually([&] { return to_first.post(path, token).status == 204; }, 30s))
      << first.process().log();

  daemon second(c, with_door(p, {"--plugin-home=child"}, true));
  ASSERT_TRUE(second.wait_ready(30s)) << second.probe("/readyz") << second.process().log();
  const client to_second(second.inbound_address(), ca);
  const auto waits = to_second.post(path, token);
  EXPECT_EQ(waits.status, 503) << waits.text;
  EXPECT_THAT(waits.text, HasSubstr("Retry-After: 2"));

  first.process().send(SIGTERM);
  EXPECT_EQ(first.process().wait(40s), 0) << first.process().log();
  EXPECT_TRUE(eventually([&] { return to_second.post(path, token).status == 204; }, 30s))
      << second.process().log();
  EXPECT_TRUE(eventually(
      [&] {
        return c.field("animal", "notes", "moves", ".status.notes").find("train-0") !=
               std::string::npos;
      },
      30s))
      << second.process().log();
}

}  // namespace
}  // namespace oarlock::testing
