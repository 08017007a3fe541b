#pragma once
// Random numbers, as the core sees them: jitter and identities. daemon/main chooses the source.
#include <chrono>
#include <cstdint>

#include "core/base/clock.hpp"

namespace oarlock {

/// Thread: any.
class random_source {
 public:
  virtual ~random_source() = default;
  [[nodiscard]] virtual std::uint64_t next() = 0;

  /// Uniform in [0, 1).
  [[nodiscard]] double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  /// `base` plus a uniform share of `base * factor`: client-go's Jitter.
  [[nodiscard]] duration jitter(duration base, double factor) {
    const auto extra = static_cast<double>(base.count()) * factor * unit();
    return base + duration(static_cast<duration::rep>(extra));
  }
};

}  // namespace oarlock
