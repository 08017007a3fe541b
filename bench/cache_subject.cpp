// Our side of the cache benchmark: client and cache, one subscriber that reads the clock, nothing
// else. Speaks the protocol of bench/README.md on standard input and output.
#include <fmt/format.h>
#include <malloc.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <iostream>
#include <vector>

#include "bench/subject.hpp"
#include "core/cache/standalone.hpp"

namespace oarlock {
namespace {

using namespace std::chrono_literals;

constexpr auto sync_limit = 180s;

struct wish {
  std::string kubeconfig;
  kube::resource what;
  int kinds = 1;  // more than one: kind00s, kind01s, ... instead of `what`
};

task<result<>> watch(cache::standalone* cluster, wish w, steady_time began) {
  bench::latencies figures;
  std::vector<std::unique_ptr<cache::subscription>> all;
  for (int i = 0; i < w.kinds; ++i) {
    auto what = w.what;
    if (w.kinds > 1) what.kind = fmt::format("Kind{:02}", i);
    if (w.kinds > 1) what.plural = fmt::format("kind{:02}s", i);
    all.push_back(cluster->cache().acquire({what, {}, {}}, {}, [&](const cache::change& c) {
      if (c.after) figures.take(*c.after);
    }));
  }
  std::size_t objects = 0;
  for (const auto& one : all) {
    const auto listed = co_await cluster->synced(one->view(), sync_limit);
    if (!listed) co_return listed.error();
    objects += one->view().object_count();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cout << fmt::format("{{\"synced_s\":{:.4f},\"objects\":{}}}\n", took.count(), objects)
            << std::flush;
  co_await bench::for_each_line([&figures](std::string_view) { figures.report(); });
  co_return result<>();
}

int run(const wish& w) {
  const auto began = std::chrono::steady_clock::now();
  mallopt(M_ARENA_MAX, 2);  // as oarlockd does
  boost::asio::io_context loop(1);
  auto cluster = cache::standalone::open(loop.get_executor(),
                                         kube::config_sources::from_environment(w.kubeconfig));
  if (!cluster) return std::cerr << cluster.error().message << "\n", 1;
  int code = 0;
  const auto session = [&]() -> task<> {
    const auto outcome = co_await watch(cluster->get(), w, began);
    if (!outcome) std::cerr << outcome.error().message << "\n", code = 1;
    co_await (*cluster)->cache().stop();
    loop.stop();
  };
  spawn(loop.get_executor(), session());
  loop.run();
  return code;
}

}  // namespace
}  // namespace oarlock

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() != 4 && args.size() != 5) {
    std::cerr << "usage: cache_subject KUBECONFIG API-VERSION KIND PLURAL [KINDS]\n";
    return 2;
  }
  const auto slash = args[1].find('/');
  oarlock::wish w{args[0], {}, args.size() > 4 ? std::stoi(args[4]) : 1};
  w.what.group = slash == std::string::npos ? "" : args[1].substr(0, slash);
  w.what.version = slash == std::string::npos ? args[1] : args[1].substr(slash + 1);
  w.what.kind = args[2];
  w.what.plural = args[3];
  return oarlock::run(w);
}
