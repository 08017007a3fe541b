#pragma once
#include <algorithm>
#include <optional>

#include "core/base/clock.hpp"

namespace oarlock {

/// So many per second, and so many at once after a quiet time. One thread at a time.
class token_bucket {
 public:
  /// `per_second` and `burst` are above 0.
  token_bucket(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  /// Takes one, which is there after the returned wait: those who come later wait longer. Takes
  /// none when the wait would be longer than `patience`.
  [[nodiscard]] std::optional<duration> take(steady_time now, duration patience) {
    refill(now);
    const double missing = std::max(0.0, 1 - tokens_);
    const auto wait =
        std::chrono::duration_cast<duration>(std::chrono::duration<double>(missing / per_second_));
    if (wait > patience) return std::nullopt;
    tokens_ -= 1;
    return wait;
  }

 private:
  void refill(steady_time now) {
    if (last_) {
      const std::chrono::duration<double> passed = now - *last_;
      tokens_ = std::min(burst_, tokens_ + std::max(0.0, passed.count()) * per_second_);
    }
    last_ = now;
  }

  const double per_second_;
  const double burst_;
  double tokens_;
  std::optional<steady_time> last_;
};

}  // namespace oarlock
