// Two plugins in one daemon: a real controller whose reconciler reads the clock, and at the word
// "cold" on standard input a second reader that syncs all Pods for the first time. Any other line
// asks for a report of event to reconcile.
#include <fmt/format.h>
#include <malloc.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <iostream>

#include "bench/subject.hpp"
#include "core/base/asio_timers.hpp"
#include "core/base/short_turns.hpp"
#include "core/base/system_clock.hpp"
#include "core/base/system_random.hpp"
#include "core/cache/standalone.hpp"
#include "core/controller/controller.hpp"

namespace oarlock {
namespace {

using namespace std::chrono_literals;

constexpr auto sync_limit = 180s;
constexpr std::size_t lane_threads = 2;
const kube::resource deployments{"apps", "v1", "Deployment", "deployments", true};
const kube::resource pods{"", "v1", "Pod", "pods", true};

class clock_reader final : public controller::reconciler {
 public:
  controller::plan_output plan(const controller::plan_input& input) override {
    if (input.primary) figures.take(*input.primary);
    return {};
  }
  bench::latencies figures;
};

struct daemon_parts {
  explicit daemon_parts(boost::asio::io_context& loop, cache::standalone& cluster)
      : events({loop.get_executor(), &cluster.client(), &clock, &timers, &cluster.metrics(), "b"}),
        subject({"bench", "bench", deployments, {}, {}, 16, {}}, {.loop = loop.get_executor(),
                                                                  .lane = lane.get_executor(),
                                                                  .client = &cluster.client(),
                                                                  .cache = &cluster.cache(),
                                                                  .events = &events,
                                                                  .plan = &plan,
                                                                  .clock_source = &clock,
                                                                  .timer_source = &timers,
                                                                  .metrics = &cluster.metrics(),
                                                                  .random = &random}) {}
  system_clock clock;
  asio_timers timers;
  system_random random;
  boost::asio::thread_pool lane{lane_threads};
  controller::event_recorder events;
  clock_reader plan;
  controller::controller subject;
};

void say_synced(steady_time began) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cout << fmt::format("{{\"synced_s\":{:.4f}}}\n", took.count()) << std::flush;
}

task<> sync_pods(cache::standalone* cluster, std::unique_ptr<cache::subscription>* share) {
  const auto began = std::chrono::steady_clock::now();
  *share = cluster->cache().acquire({pods, {}, {}}, {}, [](const cache::change&) {});
  const auto listed = co_await cluster->synced((*share)->view(), sync_limit);
  if (!listed) std::cerr << listed.error().message << "\n";
  if (listed) say_synced(began);
}

task<> session(boost::asio::io_context* loop, cache::standalone* cluster, daemon_parts* parts) {
  const auto began = std::chrono::steady_clock::now();
  std::unique_ptr<cache::subscription> share;
  parts->subject.start();
  parts->subject.lead();
  while (!parts->subject.synced())
    co_await parts->timers.sleep_for(5ms, {});
  say_synced(began);
  co_await bench::for_each_line([&](std::string_view word) {
    if (word != "cold") return parts->plan.figures.report();
    spawn(loop->get_executor(), sync_pods(cluster, &share));
  });
  co_await parts->subject.drain();
  share.reset();
  co_await cluster->cache().stop();
  loop->stop();
}

}  // namespace
}  // namespace oarlock

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: neighbour_subject KUBECONFIG\n", 2;
  using namespace oarlock;
  mallopt(M_ARENA_MAX, 2);  // as oarlockd does
  oarlock::ask_for_short_turns();
  boost::asio::io_context loop(1);
  auto cluster =
      cache::standalone::open(loop.get_executor(), kube::config_sources::from_environment(argv[1]));
  if (!cluster) return std::cerr << cluster.error().message << "\n", 1;
  daemon_parts parts(loop, **cluster);
  spawn(loop.get_executor(), session(&loop, cluster->get(), &parts));
  loop.run();
  return 0;
}
