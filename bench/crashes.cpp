// What a plugin pays for the crashes of another: 100 spec changes of MyApps a second, each from its
// write to the change of the Deployment as a watch shows it, in turns quiet and while the child of
// another plugin is killed every two seconds; and how long that child is away. A real API server,
// whose controller manager is paused. Prints a table and writes build/bench/crashes.json.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/figures.hpp"
#include "core/json/parse.hpp"
#include "tests/integration/changes.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr const char* ns = "crashes";
constexpr int apps = 20, per_second = 100, rounds = 3;
constexpr auto round_length = 10s, between_crashes = 2s, limit = 30s;

double ms_since(steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count();
}

// From the write of a change to when the Deployment has it, or a later one. Thread: any.
class latencies {
 public:
  // The user's change of that number is about to be written: app-0, app-1, ... in turn.
  void began(int number) {
    const std::lock_guard lock(mutex_);
    open_.at(static_cast<std::size_t>((number - 1) % apps))[number] = steady_clock::now();
  }
  void seen(std::string_view app, std::int64_t replicas) {
    std::size_t index = apps;
    const std::string_view digits =
        app.substr(std::min(app.size(), std::string_view("app-").size()));
    std::from_chars(digits.data(), digits.data() + digits.size(), index);
    const std::lock_guard lock(mutex_);
    if (index >= open_.size()) return;
    auto& open = open_[index];
    while (!open.empty() && open.begin()->first <= replicas) {
      took_.push_back(ms_since(open.begin()->second));
      open.erase(open.begin());
    }
  }
  // Sorted; those since the last call.
  std::vector<double> take() {
    const std::lock_guard lock(mutex_);
    auto out = std::exchange(took_, {});
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  std::mutex mutex_;
  std::array<std::map<int, steady_clock::time_point>, apps> open_;
  std::vector<double> took_;
};

// A watch on the Deployments, on a thread of its own.
class watcher {
 public:
  explicit watcher(latencies& to) {
    kube::config_sources from;
    from.flag_path = (shared_cluster().dir() / "admin.kubeconfig").string();
    auto opened = cache::standalone::open(io_.get_executor(), from);
    if (!opened) throw std::runtime_error(opened.error().message);
    api_ = std::move(*opened);
    const kube::resource deployments{"apps", "v1", "Deployment", "deployments", true};
    watch_ = api_->cache().acquire({deployments, ns, {}}, {}, [&to](const cache::change& c) {
      if (!c.after) return;
      const auto read = json::parse(c.after->json());
      const auto replicas = read ? json::int_at(*read, "/spec/replicas") : std::nullopt;
      to.seen(c.after->meta().key.name, replicas.value_or(0));
    });
    thread_ = std::thread([this] { io_.run(); });
  }
  ~watcher() {
    boost::asio::post(io_, [this] {
      watch_.reset();
      spawn(io_.get_executor(), end());
    });
    thread_.join();
    api_.reset();
  }
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;

 private:
  task<> end() {
    co_await api_->cache().stop();
    io_.stop();
  }
  boost::asio::io_context io_{1};
  std::unique_ptr<cache::standalone> api_;
  std::unique_ptr<cache::subscription> watch_;
  std::thread thread_;
};

// The child that a plugin has now, as the log says.
pid_t child_of(daemon& d, const std::string& plugin) {
  const auto log = d.process().log();
  const auto mark = fmt::format("\"plugin\":\"{}\",\"pid\":", plugin);
  const auto at = log.rfind(mark);
  return at == std::string::npos ? 0 : std::stoi(log.substr(at + mark.size()));
}

// Ends the observer's child now and then. Milliseconds until the next one ran, for each.
std::vector<double> crash_for(daemon& d, std::chrono::seconds how_long) {
  std::vector<double> away;
  for (const auto end = steady_clock::now() + how_long; steady_clock::now() < end;) {
    const auto begin = steady_clock::now();
    const pid_t killed = child_of(d, "observer");
    if (killed == 0 || ::kill(killed, SIGSEGV) != 0) break;
    away.push_back(until([&] { return child_of(d, "observer") != killed; }, limit));
    std::this_thread::sleep_until(begin + between_crashes);
  }
  return away;
}

double at(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return -1;
  return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

void add(std::vector<figure>& out, const std::string& when, const std::vector<double>& sorted) {
  out.push_back({when + ": changes seen", static_cast<double>(sorted.size()), ""});
  out.push_back({when + ": change to child, p50", at(sorted, 0.5), "ms"});
  out.push_back({when + ": the same, p99", at(sorted, 0.99), "ms"});
  out.push_back({when + ": the same, worst", at(sorted, 1), "ms"});
}

int measure() {
  const auto& c = shared_cluster();
  c.make_namespace(ns);
  daemon d(c, {{"myapp", test_plugin("observer")}, {"--plugin-home=child"}, false, {}});
  if (!d.wait_ready(60s)) return 1;
  std::string all;
  for (int i = 0; i < apps; ++i)
    all += "---\n" + myapp_yaml(fmt::format("app-{}", i), 0);
  c.must({"apply", "-n", ns, "-f", "-"}, all);
  if (!eventually([&] { return c.fields("deployment", ns).size() == apps; }, 60s)) return 1;
  c.component("pause", "kube-controller-manager");

  latencies took;
  const watcher watching(took);
  changes user(ns, apps, per_second, apps, [&took](int number) {
    took.began(number);
    return changes::replicas(number);
  });
  std::this_thread::sleep_for(5s);
  (void)took.take();
  std::vector<figure> figures;
  std::vector<double> away;
  for (int round = 1; round <= rounds; ++round) {
    std::this_thread::sleep_for(round_length);
    add(figures, fmt::format("quiet {}", round), took.take());
    const auto more = crash_for(d, round_length);
    away.insert(away.end(), more.begin(), more.end());
    add(figures, fmt::format("crashes {}", round), took.take());
  }
  user.stop();
  c.component("resume", "kube-controller-manager");
  std::sort(away.begin(), away.end());
  figures.push_back({"crashes", static_cast<double>(away.size()), ""});
  figures.push_back({"until the child is back, median", at(away, 0.5), "ms"});
  figures.push_back({"the same, worst", at(away, 1), "ms"});
  report("crashes", figures);
  return user.failure().empty() ? 0 : 1;
}

}  // namespace
}  // namespace oarlock::testing

int main() {
  return oarlock::testing::measure();
}
