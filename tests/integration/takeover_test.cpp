// Leaders that leave, die and freeze while a client makes 200 changes a second: no change is lost,
// and whoever writes holds the lease.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>

#include "core/base/rfc3339.hpp"
#include "core/json/parse.hpp"
#include "tests/integration/changes.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

constexpr auto ns = "takeover";
constexpr auto lease_name = "takeover";
constexpr int apps = 40;
constexpr int writes_per_second = 200;
constexpr double lease_seconds = 3;

struct audited {
  std::string user;
  bool lease = false;
  std::string received;  ///< RFC 3339 with six digits: the order of the texts is that of the times
  std::string done;
  std::string what;
};

// The successful writes of our processes, in the order in which the server received them.
std::vector<audited> audit() {
  std::ifstream in(shared_cluster().dir() / "cluster/audit.log");
  std::vector<audited> found;
  for (std::string line; std::getline(in, line);) {
    const auto entry = json::parse(line);
    if (!entry || json::string_at(*entry, "/stage") != "ResponseComplete") continue;
    const auto text = [&](const char* path) { return std::string(json::string_at(*entry, path)); };
    const auto verb = text("/verb");
    const bool read = verb == "get" || verb == "list" || verb == "watch";
    const auto user = text("/user/username");
    if (read || !user.starts_with("racer-")) continue;
    if (json::int_at(*entry, "/responseStatus/code").value_or(500) >= 300) continue;
    const auto resource = text("/objectRef/resource");
    // Access reviews are no part of what the lease guards.
    if (resource == "tokenreviews" || resource == "subjectaccessreviews") continue;
    found.push_back({user, resource == "leases", text("/requestReceivedTimestamp"),
                     text("/stageTimestamp"),
                     verb + " " + resource + " " + text("/objectRef/name")});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.received < b.received; });
  return found;
}

double seconds(const std::string& stamp) {
  const auto whole = parse_rfc3339(stamp).value_or(wall_time{});
  const auto dot = stamp.find('.');
  const double part = dot == std::string::npos ? 0 : std::stod("0" + stamp.substr(dot, 7));
  return std::chrono::duration<double>(whole.time_since_epoch()).count() + part;
}

// Each write was received while the last one to have written the lease was the writer.
// Prints how long each take-over took, from the moment when the lease was free: released by the
// first, run out with the others.
void expect_only_the_holder_wrote(const std::vector<audited>& all) {
  const audited* holder = nullptr;
  const audited* before = nullptr;  // the last write to the lease by the holder before
  const audited* taken = nullptr;   // the first one by the holder
  std::map<std::string, int> counts;
  for (const auto& one : all) {
    if (one.lease) {
      if (holder == nullptr || holder->user != one.user) {
        before = holder;
        taken = &one;
      }
      holder = &one;
      continue;
    }
    ASSERT_NE(holder, nullptr) << one.user << " wrote before anybody led: " << one.what;
    EXPECT_EQ(one.user, holder->user) << one.what << " at " << one.received;
    if (counts[one.user]++ == 0 && before != nullptr) {
      const bool released = before->user == "racer-first";
      const double free = seconds(before->done) + (released ? 0 : lease_seconds);
      std::printf("%s: %.3f s after the lease %s it took it, and first wrote at %.3f s\n",
                  one.user.c_str(), seconds(taken->received) - free,
                  released ? "was released" : "had run out", seconds(one.received) - free);
    }
  }
  for (const auto& [user, count] : counts)
    std::printf("%s: %d writes\n", user.c_str(), count);
  EXPECT_EQ(counts.size(), 4U) << "all four had their turn";
}

class Takeover : public ::testing::Test {
 protected:
  void SetUp() override {
    auto& c = shared_cluster();
    c.make_namespace(ns);
    // No pods and ReplicaSets for thousands of replicas; the end of the test needs no garbage
    // collection.
    c.component("stop", "kube-controller-manager");
    std::string yaml;
    for (int i = 0; i < apps; ++i)
      yaml += "---\n" + myapp_yaml("app-" + std::to_string(i), 0);
    c.must({"apply", "-n", ns, "-f", "-"}, yaml);
  }
  void TearDown() override {
    shared_cluster().must({"delete", "namespace", ns, "--wait=false"});
    shared_cluster().component("start", "kube-controller-manager");
  }
  /// A process with a user of its own, so that the audit log tells who wrote.
  static std::unique_ptr<daemon> start(const std::string& user) {
    auto& c = shared_cluster();
    const auto subject = "--user=" + user;
    c.must({"create", "clusterrolebinding", user, "--clusterrole=oarlock", subject});
    c.must({"create", "clusterrolebinding", user + "-myapp", "--clusterrole=oarlock-daemon-myapp",
            subject});
    c.must(
        {"create", "rolebinding", user, "-n", "oarlock-system", "--role=oarlock-lease", subject});
    const std::vector<std::string> flags{
        std::string("--leader-election-id=") + lease_name,
        fmt::format("--leader-election-lease-duration={}s", lease_seconds),
        "--leader-election-renew-deadline=2s", "--leader-election-retry-period=300ms"};
    auto made =
        std::make_unique<daemon>(c, daemon::options{{"myapp"}, flags, true, c.kubeconfig(user)});
    EXPECT_TRUE(made->wait_ready(30s)) << made->process().log();
    return made;
  }
  static ::testing::AssertionResult leads(daemon& d) {
    if (eventually([&] { return metric(d.metrics(), "leader_election_master_status") == 1; }, 30s))
      return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << d.process().log();
  }
  /// A number of every object of a kind, by its name.
  static std::map<std::string, int> numbers(const std::string& kind, const std::string& path) {
    std::istringstream lines(shared_cluster().must(
        {"get", kind, "-n", ns, "-o",
         "jsonpath={range .items[*]}{.metadata.name} {" + path + "}{\"\\n\"}{end}"}));
    std::map<std::string, int> found;
    std::string name;
    for (int number = 0; lines >> name >> number;)
      found[name] = number;
    return found;
  }
};

TEST_F(Takeover, NoChangeIsLostAndOnlyTheHolderWrites) {
  auto first = start("racer-first");
  ASSERT_TRUE(leads(*first));
  auto second = start("racer-second");
  changes client(ns, apps, writes_per_second);
  ASSERT_TRUE(client.wait_for_more(100));

  first->process().send(SIGTERM);
  EXPECT_EQ(first->process().wait(40s), 0) << first->process().log();
  ASSERT_TRUE(leads(*second));

  auto third = start("racer-third");
  ASSERT_TRUE(client.wait_for_more(50));
  second->process().send(SIGKILL);
  second->process().wait(5s);
  ASSERT_TRUE(leads(*third));

  auto fourth = start("racer-fourth");
  ASSERT_TRUE(client.wait_for_more(50));
  third->process().send(SIGSTOP);  // with writes queued: there are 200 changes a second
  ASSERT_TRUE(leads(*fourth));
  third->process().send(SIGCONT);
  ASSERT_TRUE(client.wait_for_more(50));
  EXPECT_TRUE(eventually(
      [&] { return metric(third->metrics(), "leader_election_master_status") == 0; }, 30s));
  EXPECT_TRUE(third->wait_ready(30s)) << "it stands by and has not ended";
  EXPECT_TRUE(leads(*fourth));

  client.stop();
  EXPECT_EQ(client.failure(), "");
  EXPECT_EQ(client.last().size(), static_cast<std::size_t>(apps));
  EXPECT_TRUE(eventually(
      [&] {
        return numbers("deployments", ".spec.replicas") == client.last() &&
               numbers("myapps", ".status.observedGeneration") ==
                   numbers("myapps", ".metadata.generation");
      },
      30s))
      << fourth->process().log();
  expect_only_the_holder_wrote(audit());
}

}  // namespace
}  // namespace oarlock::testing
