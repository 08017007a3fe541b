#pragma once
// How many keys all controllers of one plugin work on at once.
#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

namespace oarlock::controller {

/// Loop-bound.
class reconcile_budget {
 public:
  /// `limit` 0: none. `held_back` is called each time that a controller must wait for another.
  explicit reconcile_budget(std::size_t limit, std::function<void()> held_back = {})
      : limit_(limit), held_back_(std::move(held_back)) {}
  reconcile_budget(const reconcile_budget&) = delete;
  reconcile_budget& operator=(const reconcile_budget&) = delete;

  /// False when all is in use; `go_on` is called once, when something is given back.
  [[nodiscard]] bool take(std::function<void()> go_on) {
    if (limit_ == 0 || in_use_ < limit_) {
      ++in_use_;
      return true;
    }
    if (held_back_) held_back_();
    waiting_.push_back(std::move(go_on));
    return false;
  }
  /// Who waits longest goes first.
  void give_back() {
    --in_use_;
    // One that has nothing to do any more leaves its turn to the next.
    while (!waiting_.empty() && in_use_ < limit_) {
      const auto go_on = std::move(waiting_.front());
      waiting_.pop_front();
      go_on();
    }
  }

 private:
  const std::size_t limit_;
  const std::function<void()> held_back_;
  std::size_t in_use_ = 0;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace oarlock::controller
