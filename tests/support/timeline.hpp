#pragma once
// Several loops, each with a clock and timers of its own as processes have them, on one line of
// time and in one thread. Which loop runs when depends on nothing but the order of add().
#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "tests/support/fake_clock.hpp"

namespace oarlock::test {

class timeline {
 public:
  [[nodiscard]] steady_time now() const { return now_; }

  /// `loop` joins at the present time and must stay until remove().
  void add(test_loop& loop) {
    loop.clock.set(now_);
    loops_.push_back({&loop, false});
  }
  void remove(test_loop& loop) {
    std::erase_if(loops_, [&](const member& m) { return m.loop == &loop; });
  }
  /// A stopped process (SIGSTOP): its clock goes on, nothing of it runs.
  void suspend(test_loop& loop, bool suspended) {
    for (auto& m : loops_) {
      if (m.loop == &loop) m.suspended = suspended;
    }
  }

  /// Runs what is ready until nothing is.
  void settle() {
    for (bool ran = true; ran;) {
      ran = false;
      for (std::size_t i = 0; i < loops_.size(); ++i) {
        if (loops_[i].suspended) continue;
        auto& io = loops_[i].loop->io;
        io.restart();
        ran = io.poll() > 0 || ran;
      }
    }
  }
  /// Lets time pass until `end`, timer by timer; `check` runs after each.
  void advance_to(steady_time end, const std::function<void()>& check = [] {}) {
    fire();
    while (true) {
      check();
      const auto next = next_due();
      if (!next || *next > end) break;
      move_to(std::max(*next, now_));
      fire();
    }
    move_to(std::max(end, now_));
    fire();
  }
  void advance(duration how_far, const std::function<void()>& check = [] {}) {
    advance_to(now_ + how_far, check);
  }

 private:
  struct member {
    test_loop* loop;
    bool suspended;
  };

  [[nodiscard]] std::optional<steady_time> next_due() const {
    std::optional<steady_time> due;
    for (const auto& m : loops_) {
      const auto at = m.suspended ? std::nullopt : m.loop->timers.next();
      if (at && (!due || *at < *due)) due = at;
    }
    return due;
  }
  void move_to(steady_time when) {
    now_ = when;
    for (auto& m : loops_)
      m.loop->clock.set(when);
  }
  void fire() {
    settle();
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      if (!loops_[i].suspended) loops_[i].loop->timers.fire_due();
    }
    settle();
  }

  steady_time now_ = fake_clock().now();
  std::vector<member> loops_;
};

}  // namespace oarlock::test
