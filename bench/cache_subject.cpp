// Our side of the cache benchmark: client and cache, one subscriber that reads the clock, nothing
// else. Speaks the protocol of bench/README.md on standard input and output.
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <charconv>
#include <chrono>
#include <iostream>
#include <vector>

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

// CLOCK_MONOTONIC, as the stub stamps its events.
std::int64_t monotonic_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class latencies {
 public:
  void take(const cache::change& c) {
    if (!c.after) return;
    const auto& annotations = c.after->meta().annotations;
    const auto found = annotations.find("bench/sent-ns");
    if (found == annotations.end()) return;
    const std::string_view text = found->second;
    std::int64_t sent = 0;
    std::from_chars(text.data(), text.data() + text.size(), sent);
    if (sent != 0) all_.push_back(monotonic_ns() - sent);
  }
  void report() {
    std::sort(all_.begin(), all_.end());
    std::cout << fmt::format(
                     "{{\"events\":{},\"p50_us\":{:.1f},\"p99_us\":{:.1f},\"max_us\":{:.1f}}}\n",
                     all_.size(), at(0.50), at(0.99), at(1))
              << std::flush;
    all_.clear();
  }

 private:
  [[nodiscard]] double at(double share) const {
    if (all_.empty()) return 0;
    const auto last = static_cast<double>(all_.size() - 1);
    return static_cast<double>(all_[static_cast<std::size_t>(share * last)]) / 1000;
  }
  std::vector<std::int64_t> all_;
};

// A report for each line on standard input, until its end.
task<> answer_commands(latencies* figures) {
  boost::asio::posix::stream_descriptor in(co_await boost::asio::this_coro::executor, 0);
  std::string line;
  for (;;) {
    boost::system::error_code failure;
    const auto taken = co_await boost::asio::async_read_until(
        in, boost::asio::dynamic_buffer(line), '\n',
        boost::asio::redirect_error(boost::asio::use_awaitable, failure));
    if (failure) co_return;
    line.erase(0, taken);
    figures->report();
  }
}

task<result<>> watch(cache::standalone* cluster, wish w, steady_time began) {
  latencies figures;
  std::vector<std::unique_ptr<cache::subscription>> all;
  for (int i = 0; i < w.kinds; ++i) {
    auto what = w.what;
    if (w.kinds > 1) what.kind = fmt::format("Kind{:02}", i);
    if (w.kinds > 1) what.plural = fmt::format("kind{:02}s", i);
    all.push_back(cluster->cache().acquire({what, {}, {}}, {},
                                           [&](const cache::change& c) { figures.take(c); }));
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
  co_await answer_commands(&figures);
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
