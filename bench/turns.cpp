// How long a thread that is woken waits for the one processor that another one keeps busy: a plan
// on its lane beside a loop that decodes a long list. First in the kernel's turns, then in short
// ones.
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <semaphore>
#include <thread>
#include <vector>

#include "core/base/short_turns.hpp"

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

void spin_until(steady::time_point end) {
  while (steady::now() < end) {
  }
}

// A thread that works for 30 us whenever it is woken, and notes how late it began.
class woken_thread {
 public:
  woken_thread() : thread_([this] { serve(); }) {}
  ~woken_thread() {
    done_ = true;
    wake();
    thread_.join();
  }
  woken_thread(const woken_thread&) = delete;
  woken_thread& operator=(const woken_thread&) = delete;

  [[nodiscard]] bool idle() const { return idle_; }
  void wake() {
    idle_ = false;
    woken_at_ = steady::now();
    calls_.release();
  }
  // Only while idle. Microseconds, sorted.
  [[nodiscard]] std::vector<double> lateness() const {
    auto all = late_us_;
    std::ranges::sort(all);
    return all;
  }

 private:
  void serve() {
    while (calls_.acquire(), !done_) {
      late_us_.push_back(
          std::chrono::duration<double, std::micro>(steady::now() - woken_at_).count());
      spin_until(steady::now() + 30us);
      idle_ = true;
    }
  }

  std::atomic<bool> idle_ = true;
  std::atomic<bool> done_ = false;
  steady::time_point woken_at_;
  std::vector<double> late_us_;
  std::counting_semaphore<> calls_{0};
  std::thread thread_;
};

void measure(const char* turns) {
  woken_thread plan;
  const auto end = steady::now() + 4s;
  auto next = steady::now();
  while (steady::now() < end) {
    if (steady::now() < next || !plan.idle()) continue;
    plan.wake();
    next = steady::now() + 2ms;
  }
  while (!plan.idle())
    std::this_thread::sleep_for(1ms);
  const auto late = plan.lateness();
  const auto at = [&](std::size_t percent) { return late[(late.size() - 1) * percent / 100]; };
  fmt::print("{}: {} wake-ups, late by p50 / p90 / p99 us: {:.0f} / {:.0f} / {:.0f}\n", turns,
             late.size(), at(50), at(90), at(99));
}

}  // namespace

int main() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) return fmt::print("no affinity\n"), 1;
  measure("the kernel's turns");
  if (!oarlock::ask_for_short_turns()) return fmt::print("no short turns: Linux < 6.12\n"), 0;
  measure("short turns");
  return 0;
}
