#pragma once
#include <mutex>
#include <utility>

namespace oarlock {

/// Data and its mutex in one type: the data cannot be reached without the lock.
template <class T>
class guarded {
 public:
  guarded() = default;
  explicit guarded(T value) : value_(std::move(value)) {}

  /// Runs `f(T&)` under the lock. `f` must not block and must not return a reference to T.
  template <class F>
  auto with(F&& f) {
    const std::lock_guard lock(mutex_);
    return std::forward<F>(f)(value_);
  }
  template <class F>
  auto with(F&& f) const {
    const std::lock_guard lock(mutex_);
    return std::forward<F>(f)(value_);
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

}  // namespace oarlock
