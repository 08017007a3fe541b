#pragma once
// How long a reflector waits after a failure: client-go's constants (0.8 s doubling to 30 s, full
// jitter, forgotten after two quiet minutes). Pure but for the random source.
#include <algorithm>
#include <chrono>
#include <optional>

#include "core/base/clock.hpp"
#include "core/base/random.hpp"

namespace oarlock::cache {

class watch_backoff {
 public:
  static constexpr duration first = std::chrono::milliseconds(800);
  static constexpr duration cap = std::chrono::seconds(30);
  static constexpr duration quiet = std::chrono::minutes(2);
  /// A server that asks for more is not believed.
  static constexpr duration retry_after_cap = std::chrono::minutes(2);

  /// The wait for a failure at `now`. Never shorter than what the server asked for.
  [[nodiscard]] duration next(steady_time now, std::optional<std::chrono::milliseconds> retry_after,
                              random_source& random) {
    if (!last_ || now - *last_ >= quiet) base_ = first;
    duration wait = random.jitter(base_, 1.0);
    base_ = std::min(base_ * 2, cap);
    if (retry_after) {
      const duration asked = std::min<duration>(*retry_after, retry_after_cap);
      wait = std::max(wait, random.jitter(asked, 0.1));
    }
    last_ = now + wait;
    return wait;
  }

 private:
  duration base_ = first;
  std::optional<steady_time> last_;  // when the last wait ended
};

}  // namespace oarlock::cache
