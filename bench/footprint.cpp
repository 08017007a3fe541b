// What oarlockd costs: start to first reconcile, memory, 1,000 objects. Prints a table and writes
// build/bench/footprint.json. A real API server, nothing simulated.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>
#include <vector>

#include "bench/figures.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

constexpr int rounds = 5;
constexpr int crowd = 1000;

std::string crowd_yaml() {
  std::string all;
  for (int i = 0; i < crowd; ++i)
    all += myapp_yaml(fmt::format("app-{:04}", i), 0) + "---\n";
  return all;
}

// Waits until Oarlock has written nothing for 5 s: the controller manager takes its time.
void settle(const cluster& c, std::size_t from) {
  std::size_t before = 0;
  for (int quiet = 0; quiet < 5; ++quiet) {
    std::this_thread::sleep_for(1s);
    const auto now = c.writes("oarlock", from).size();
    if (now != before) quiet = 0;
    before = now;
  }
}

double reconciles(const daemon& d) {
  return metric(d.metrics(), "controller_runtime_reconcile_total",
                {"plugin=\"myapp\"", "result=\"success\""});
}

void measure_start(std::vector<figure>& out) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    daemon d(shared_cluster(), {});
    times.push_back(
        until([&] { return d.process().log().find("first reconcile") != std::string::npos; }, 20s));
    d.process().send(SIGTERM);
    d.process().wait(40s);
  }
  std::sort(times.begin(), times.end());
  out.push_back({"start to first reconcile, median", times[times.size() / 2], "ms"});
  out.push_back({"start to first reconcile, worst", times.back(), "ms"});
}

void measure_idle(std::vector<figure>& out) {
  daemon d(shared_cluster(), {});
  d.wait_ready(30s);
  std::this_thread::sleep_for(5s);
  const auto found = memory_of(d.process().pid());
  out.push_back({"idle PSS", found.pss_mib, "MiB"});
  out.push_back({"idle anonymous", found.anonymous_mib, "MiB"});
}

void measure_crowd(std::vector<figure>& out) {
  auto& c = shared_cluster();
  c.make_namespace("bench");
  c.must({"apply", "-n", "bench", "-f", "-"}, crowd_yaml());
  const auto from = c.audit_lines();
  {
    daemon d(c, {});
    const auto ms = until([&] { return reconciles(d) >= crowd; }, 120s);
    settle(c, from);
    const auto found = memory_of(d.process().pid());
    out.push_back({"1,000 MyApps reconciled after", ms / 1000, "s"});
    out.push_back({"1,000 MyApps, CPU", cpu_seconds(d.process().pid()), "s"});
    out.push_back({"1,000 MyApps, PSS", found.pss_mib, "MiB"});
    out.push_back(
        {"1,000 MyApps, writes", static_cast<double>(c.writes("oarlock", from).size()), ""});
    d.process().send(SIGTERM);
    d.process().wait(40s);
  }
  const auto again = c.audit_lines();
  daemon d(c, {});
  until([&] { return reconciles(d) >= crowd; }, 120s);
  settle(c, again);
  out.push_back({"restart on 1,000 converged, CPU", cpu_seconds(d.process().pid()), "s"});
  out.push_back({"restart on 1,000 converged, PSS", memory_of(d.process().pid()).pss_mib, "MiB"});
  out.push_back({"restart on 1,000 converged, writes",
                 static_cast<double>(c.writes("oarlock", again).size()), ""});
}

}  // namespace
}  // namespace oarlock::testing

int main() {
  using namespace oarlock::testing;
  shared_cluster().must({"apply", "-f", "-"}, myapp_yaml("one", 0));
  std::vector<figure> figures;
  measure_start(figures);
  measure_idle(figures);
  measure_crowd(figures);
  report("footprint", figures);
}
