#pragma once
#include <algorithm>
#include <optional>

#include "core/base/clock.hpp"

namespace oarlock {

/// So many per second, and so many at once after a quiet time. One thread at a time.
class token_bucket {
 public:
  /// One in each `interval`, above zero; `burst` is at least 1.
  token_bucket(duration interval, int burst) : interval_(interval), room_((burst - 1) * interval) {}
  /// `per_second` is above 0, `burst` at least 1.
  token_bucket(double per_second, double burst)
      : interval_(std::max(duration(1), of_seconds(1 / per_second))),
        room_(of_seconds((burst - 1) / per_second)) {}

  /// How long until one is there; zero: now.
  [[nodiscard]] duration wait(steady_time now) const {
    return std::max(duration::zero(), duration(paid_ - room_ - now));
  }
  /// Takes one, which is there after the returned wait: those who come later wait longer. Takes
  /// none when the wait would be longer than `patience`.
  [[nodiscard]] std::optional<duration> take(steady_time now, duration patience) {
    const auto left = wait(now);
    if (left > patience) return std::nullopt;
    paid_ = std::max(paid_, now) + interval_;
    return left;
  }

 private:
  static duration of_seconds(double s) {
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(s));
  }

  duration interval_;
  duration room_;       // how far paid_ may be ahead while one is there at once
  steady_time paid_{};  // the bucket is full from then on
};

}  // namespace oarlock
