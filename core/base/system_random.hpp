#pragma once
#include <mutex>
#include <random>

#include "core/base/random.hpp"

namespace oarlock {

/// A generator seeded by the operating system. Not for secrets.
class system_random final : public random_source {
 public:
  system_random();
  [[nodiscard]] std::uint64_t next() override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace oarlock
