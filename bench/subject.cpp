#include "bench/subject.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <charconv>
#include <chrono>
#include <iostream>

namespace oarlock::bench {

namespace {

// CLOCK_MONOTONIC, as the stub stamps its events.
std::int64_t monotonic_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void latencies::take(const cache::object& o) {
  const auto& annotations = o.meta().annotations;
  const auto found = annotations.find("bench/sent-ns");
  if (found == annotations.end()) return;
  const std::string_view text = found->second;
  std::int64_t sent = 0;
  std::from_chars(text.data(), text.data() + text.size(), sent);
  if (sent == 0) return;
  const std::int64_t took = monotonic_ns() - sent;
  const std::lock_guard lock(mutex_);
  all_.push_back(took);
}

void latencies::report() {
  std::vector<std::int64_t> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(all_);
  }
  std::sort(all.begin(), all.end());
  const auto at = [&all](double share) {
    if (all.empty()) return 0.0;
    const auto last = static_cast<double>(all.size() - 1);
    return static_cast<double>(all[static_cast<std::size_t>(share * last)]) / 1000;
  };
  std::cout << fmt::format(
                   "{{\"events\":{},\"p50_us\":{:.1f},\"p99_us\":{:.1f},\"max_us\":{:.1f}}}\n",
                   all.size(), at(0.50), at(0.99), at(1))
            << std::flush;
}

task<> for_each_line(std::function<void(std::string_view)> on_line) {
  boost::asio::posix::stream_descriptor in(co_await boost::asio::this_coro::executor, 0);
  std::string text;
  for (;;) {
    boost::system::error_code failure;
    const auto taken = co_await boost::asio::async_read_until(
        in, boost::asio::dynamic_buffer(text), '\n',
        boost::asio::redirect_error(boost::asio::use_awaitable, failure));
    if (failure) co_return;
    on_line(std::string_view(text).substr(0, taken - 1));
    text.erase(0, taken);
  }
}

}  // namespace oarlock::bench
