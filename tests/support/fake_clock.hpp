#pragma once
// Time under the test's control: a clock that stands still, timers that fire when it is moved, and
// a loop that runs everything on the test's own thread. No test sleeps.
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/base/clock.hpp"
#include "core/base/random.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "tests/support/one_shot.hpp"

namespace oarlock::test {

/// Starts far from zero, so that "now minus something" is legal. Thread: any.
class fake_clock final : public clock {
 public:
  [[nodiscard]] steady_time now() const override {
    const auto t = ns_.fetch_add(step_ns_.load());
    return steady_time(duration(t));
  }
  [[nodiscard]] wall_time wall_now() const override {
    return wall_time(std::chrono::duration_cast<wall_time::duration>(duration(ns_) + wall_offset_ +
                                                                     duration(wall_moved_ns_)));
  }
  void set(steady_time t) { ns_ = t.time_since_epoch().count(); }
  /// The wall clock jumps; monotonic time goes on as if nothing had happened.
  void move_wall(duration by) { wall_moved_ns_ += by.count(); }
  /// Each look at the clock moves it by `step`: for code that measures its own work.
  void tick_on_read(duration step) { step_ns_ = step.count(); }

 private:
  static constexpr std::int64_t start_ns = 1'000'000'000'000'000;
  static constexpr duration wall_offset_ = std::chrono::hours(24 * 365 * 50);
  mutable std::atomic<std::int64_t> ns_{start_ns};
  std::atomic<std::int64_t> step_ns_{0};
  std::atomic<std::int64_t> wall_moved_ns_{0};
};

/// Timers of a fake_clock: they fire in the order of their times, then of their making. Thread:
/// any.
class fake_timers final : public timers {
 public:
  using id = std::pair<steady_time, std::uint64_t>;

  explicit fake_timers(const fake_clock& clock_source) : clock_(clock_source) {}

  [[nodiscard]] task<bool> sleep_for(duration how_long, std::stop_token stop) override {
    if (stop.stop_requested()) co_return false;
    const auto over = std::make_shared<one_shot>();
    const id timer = call_at(clock_.now() + how_long, [over] { over->set(); });
    const std::stop_callback cancelled(stop, [over] { over->set(); });
    co_await one_shot::wait(over);
    cancel(timer);
    co_return !stop.stop_requested();
  }

  /// Runs `what` once the clock has reached `when`, inside fire_due().
  id call_at(steady_time when, std::function<void()> what) {
    const std::lock_guard lock(mutex_);
    const id key{when, next_++};
    due_.emplace(key, std::move(what));
    return key;
  }
  void cancel(const id& which) {
    const std::lock_guard lock(mutex_);
    due_.erase(which);
  }
  [[nodiscard]] std::optional<steady_time> next() const {
    const std::lock_guard lock(mutex_);
    if (due_.empty()) return std::nullopt;
    return due_.begin()->first.first;
  }
  [[nodiscard]] std::size_t pending() const {
    const std::lock_guard lock(mutex_);
    return due_.size();
  }
  void fire_due() {
    const steady_time now = clock_.now();
    while (auto what = take_due(now))
      what();
  }

 private:
  std::function<void()> take_due(steady_time now) {
    const std::lock_guard lock(mutex_);
    if (due_.empty() || due_.begin()->first.first > now) return {};
    auto what = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    return what;
  }

  const fake_clock& clock_;
  mutable std::mutex mutex_;
  std::map<id, std::function<void()>> due_;
  std::uint64_t next_ = 0;
};

/// The same numbers for the same seed (splitmix64). Thread: one.
class seeded_random final : public random_source {
 public:
  explicit seeded_random(std::uint64_t seed) : state_(seed) {}
  [[nodiscard]] std::uint64_t next() override {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// Uniform enough for tests: 0 <= n < `limit`.
  [[nodiscard]] std::size_t below(std::size_t limit) {
    return static_cast<std::size_t>(next() % limit);
  }
  [[nodiscard]] bool chance(double probability) { return unit() < probability; }

 private:
  std::uint64_t state_;
};

/// Always the same number: 0 means "no jitter".
class fixed_random final : public random_source {
 public:
  explicit fixed_random(std::uint64_t value = 0) : value_(value) {}
  [[nodiscard]] std::uint64_t next() override { return value_; }

 private:
  std::uint64_t value_;
};

/// One io_context on the test's thread, with its clock and timers.
class test_loop {
 public:
  boost::asio::io_context io;
  fake_clock clock;
  fake_timers timers{clock};

  [[nodiscard]] executor loop() { return io.get_executor(); }
  /// Runs what is ready, and what becomes ready by it, without moving the clock.
  void run_ready() {
    io.restart();
    io.poll();
  }
  /// Moves the clock, stopping at each timer on the way.
  void advance(duration how_far) {
    run_ready();
    const steady_time end = clock.now() + how_far;
    for (auto at = timers.next(); at && *at <= end; at = timers.next()) {
      if (*at > clock.now()) clock.set(*at);
      timers.fire_due();
      run_ready();
    }
    clock.set(end);
    run_ready();
  }
  /// Runs `work` to its end, moving the clock from timer to timer, at most `limit` far.
  template <class T>
  T await(task<T> work, duration limit = std::chrono::minutes(10)) {
    std::optional<T> value;
    bool done = false;
    boost::asio::co_spawn(loop(), keep(std::move(work), &value, &done), [](std::exception_ptr e) {
      if (e) std::rethrow_exception(e);
    });
    run_until(&done, limit);
    return std::move(*value);
  }
  void await(task<void> work, duration limit = std::chrono::minutes(10)) {
    bool done = false;
    boost::asio::co_spawn(loop(), finish(std::move(work), &done), [](std::exception_ptr e) {
      if (e) std::rethrow_exception(e);
    });
    run_until(&done, limit);
  }

 private:
  template <class T>
  static task<> keep(task<T> work, std::optional<T>* value, bool* done) {
    value->emplace(co_await std::move(work));
    *done = true;
  }
  static task<> finish(task<void> work, bool* done) {
    co_await std::move(work);
    *done = true;
  }
  void run_until(const bool* done, duration limit) {
    run_ready();
    const steady_time end = clock.now() + limit;
    while (!*done) {
      const auto at = timers.next();
      if (!at || *at > end)
        throw std::runtime_error("the task does not end: nothing left to wait for");
      advance(std::max(*at - clock.now(), duration::zero()));
    }
  }
};

}  // namespace oarlock::test
