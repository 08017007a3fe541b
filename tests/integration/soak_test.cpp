// Minutes of random faults by a seed, while objects change: then everything is converged, silent,
// and no larger than before. OARLOCK_SOAK_MINUTES, OARLOCK_SOAK_OBJECTS and OARLOCK_SOAK_SEED say
// how long, how many and which; `make soak` sets them.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>

#include "core/json/parse.hpp"
#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

const kube::resource my_apps{"example.com", "v1alpha1", "MyApp", "myapps", true};
const kube::resource deployments{"apps", "v1", "Deployment", "deployments", true};
const std::string ns = "soak";

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::stoull(text);
}

struct sizes {
  std::uint64_t pss_kib = 0;
  std::size_t descriptors = 0;
  std::size_t threads = 0;
};

std::size_t entries(const std::filesystem::path& folder) {
  const std::filesystem::directory_iterator all(folder);
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

sizes sizes_of(pid_t pid) {
  const auto proc = std::filesystem::path("/proc") / std::to_string(pid);
  sizes out{0, entries(proc / "fd"), entries(proc / "task")};
  std::ifstream in(proc / "smaps_rollup");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("Pss:")) out.pss_kib = std::stoull(line.substr(4));
  }
  return out;
}

double cache_kib(const std::string& metrics) {
  return (metric(metrics, "oarlock_cache_bytes", {"resource=\"myapps.example.com\""}) +
          metric(metrics, "oarlock_cache_bytes", {"resource=\"deployments.apps\""})) /
         1024;
}

// Faults as they come in the field: few per request, all kinds. Counts what it did. Thread: the
// gate's, and the counts only when it rests.
class random_faults {
 public:
  explicit random_faults(std::uint64_t seed) : random_(seed) {}

  std::optional<gate_fault> operator()(const gate_request& r) {
    if (r.is_watch()) {
      if (!random_.chance(0.5)) return {};
      return did("watch cut", gate::cut_after(500 + random_.below(300'000)));
    }
    if (!random_.chance(r.is_write() ? 0.06 : 0.1)) return {};
    switch (random_.below(7)) {
      case 0:
        return did("reply lost", gate::swallow_reply());
      case 1:
        return did("closed", gate::close());
      case 2:
        return did("delayed", gate::delay(std::chrono::milliseconds(random_.below(2000))));
      case 3:
        return did("cut", gate::cut_after(random_.below(2000)));
      case 4:
        return did("429", gate::answer(429, gate::status_body(429, "TooManyRequests"),
                                       "Retry-After: 1\r\n"));
      case 5:
        return did("bad gateway", gate::answer(502, "<html>bad gateway</html>"));
      default:
        return did("500", gate::answer(500, gate::status_body(500, "InternalError")));
    }
  }
  [[nodiscard]] std::string report() const {
    std::string out;
    for (const auto& [what, count] : counts_)
      out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, what);
    return out;
  }

 private:
  gate_fault did(const char* what, gate_fault fault) {
    ++counts_[what];
    return fault;
  }
  test::seeded_random random_;
  std::map<std::string, int> counts_;
};

class Soak : public ::testing::Test {
 protected:
  Soak() { c.make_namespace(ns); }

  static std::string name_of(std::size_t i) { return fmt::format("app-{:04}", i); }
  void apply(std::size_t i, int version) {
    const auto body = fmt::format(
        R"({{"apiVersion":"example.com/v1alpha1","kind":"MyApp","metadata":{{"name":"{}"}},)"
        R"("spec":{{"replicas":0,"image":"myapp:v{}"}}}})",
        name_of(i), version);
    kube::apply_options by{"user", true, {}, false};
    const auto done = admin.call(admin.client().apply(my_apps, ns, name_of(i), body, by));
    ASSERT_TRUE(done) << done.error().message;
    wanted[i] = version;
  }
  // A MyApp, or the Deployment of one; it may be gone already.
  void remove(const kube::resource& kind, std::size_t i) {
    const auto done = admin.call(admin.client().remove(kind, ns, name_of(i), {}));
    ASSERT_TRUE(done || done.error().code == kube::kube_error::not_found) << done.error().message;
  }
  // Mostly new images; now and then a MyApp that is made anew, or a Deployment that goes.
  void change(std::size_t i, int version, test::seeded_random& random) {
    const auto which = random.below(20);
    if (which == 0) return remove(deployments, i);
    if (which == 1) remove(my_apps, i);
    apply(i, version);
  }
  bool converged(std::size_t i) {
    const auto app = apps.get({ns, name_of(i)});
    const auto child = children.get({ns, name_of(i)});
    if (!app || !child || child->meta().controller() == nullptr) return false;
    const auto status = json::parse(app->json());
    const auto spec = json::parse(child->json());
    return child->meta().controller()->uid == app->meta().uid &&
           json::int_at(*status, "/status/observedGeneration") == app->meta().generation &&
           json::string_at(*status, "/status/phase") == "Ready" &&
           json::string_at(*spec, "/spec/template/spec/containers/0/image") ==
               fmt::format("myapp:v{}", wanted[i]);
  }
  ::testing::AssertionResult all_converge(std::chrono::seconds limit) {
    std::size_t next = 0;
    const auto all = [&] {
      while (next < wanted.size() && converged(next))
        ++next;
      return next == wanted.size();
    };
    if (eventually(all, limit)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << name_of(next) << " does not converge";
  }
  // The server vanishes for a moment, in one of its ways.
  void disturb(test::seeded_random& random) {
    switch (random.below(4)) {
      case 0:
        gate_.cut_all();
        return;
      case 1:
        gate_.freeze(true);
        std::this_thread::sleep_for(1s);
        gate_.freeze(false);
        return;
      case 2:
        gate_.set_door(gate_door::closed);
        gate_.cut_all();
        break;
      default:
        gate_.set_door(gate_door::cut_handshake);
        gate_.cut_all();
    }
    std::this_thread::sleep_for(1s);
    gate_.set_door(gate_door::open);
  }
  // Twenty changes a second, a disturbance each five seconds, a line each minute.
  void churn(steady_clock::duration how_long, test::seeded_random& random, daemon& d) {
    const auto begin = steady_clock::now();
    auto report = begin + 1min;
    for (int n = 1; steady_clock::now() < begin + how_long; ++n) {
      change(random.below(wanted.size()), n, random);
      if (n % 100 == 0) {
        requests += gate_.requests().size();
        gate_.forget_requests();
        disturb(random);
      }
      if (steady_clock::now() > report) {
        report += 1min;
        say(fmt::format("{} changes, {} requests, {:.0f} KiB in cache", n, requests,
                        cache_kib(d.metrics())),
            sizes_of(d.process().pid()));
      }
      std::this_thread::sleep_for(50ms);
    }
  }
  static void say(const std::string& when, const sizes& now) {
    fmt::print("soak: {}: PSS {} KiB, {} descriptors, {} threads\n", when, now.pss_kib,
               now.descriptors, now.threads);
    std::fflush(stdout);
  }

  cluster& c = shared_cluster();
  fault_gate gate_{c.kubeconfig("oarlock")};
  fault_subject admin{admin_kubeconfig()};
  const cache::informer& apps = admin.follow(ns, my_apps);
  const cache::informer& children = admin.follow(ns, deployments);
  std::size_t requests = 0;
  std::vector<int> wanted =
      std::vector<int>(setting("OARLOCK_SOAK_OBJECTS", 2000));  // image version by object
};

TEST_F(Soak, EndsConvergedSilentAndNoLarger) {
  const auto minutes = std::chrono::minutes(setting("OARLOCK_SOAK_MINUTES", 30));
  const auto seed = setting("OARLOCK_SOAK_SEED", std::random_device{}());
  fmt::print("soak: seed {}, {} minutes, {} objects\n", seed, minutes.count(), wanted.size());
  daemon d(c, {{"myapp"}, {}, true, gate_.kubeconfig()});
  ASSERT_TRUE(d.wait_ready(60s)) << d.process().log();
  for (std::size_t i = 0; i < wanted.size(); ++i)
    apply(i, 0);
  ASSERT_TRUE(all_converge(600s));
  const auto before = sizes_of(d.process().pid());

  test::seeded_random random(seed);
  random_faults faults(random.next());
  gate_.forget_requests();
  gate_.choose(std::ref(faults));
  churn(minutes, random, d);
  gate_.clear();
  gate_.cut_all();  // no connection is left that a fault still has in its hands
  const auto calm = steady_clock::now();
  ASSERT_TRUE(all_converge(600s));
  const auto took = steady_clock::now() - calm;
  requests += gate_.requests().size();

  // Events and what was queued behind faults come to their end first.
  const auto writes = [&] {
    std::size_t count = 0;
    for (const auto& r : gate_.requests())
      count += r.is_write() && r.target.find("/leases/") == std::string::npos ? 1 : 0;
    return count;
  };
  std::size_t last = 0;
  ASSERT_TRUE(eventually(
      [&] {
        gate_.forget_requests();
        std::this_thread::sleep_for(20s);
        return (last = writes()) == 0;
      },
      300s))
      << last << " writes in 20 s on a converged cluster";
  ASSERT_TRUE(all_converge(1s)) << "and stays so";
  const auto after = sizes_of(d.process().pid());
  fmt::print("soak: seed {}, {} requests; faults: {}; converged {} ms after the last one\n", seed,
             requests, faults.report(),
             std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  say("before", before);
  say("after", after);
  EXPECT_LE(after.pss_kib, before.pss_kib + before.pss_kib / 4 + 4096) << "memory is not flat";
  EXPECT_LE(after.descriptors, before.descriptors + 32) << "at most a pool of connections more";
  EXPECT_LE(after.threads, before.threads);
  d.process().send(SIGTERM);
  EXPECT_EQ(d.process().wait(40s), 0) << d.process().log();
}

}  // namespace
}  // namespace oarlock::testing
