#pragma once
// Identities that nobody else has.
#include <cstdint>
#include <string>

#include "core/base/random.hpp"

namespace oarlock {

/// A random (version 4) UUID.
class uuid {
 public:
  explicit uuid(random_source& random)
      : high_((random.next() & 0xFFFFFFFFFFFF0FFFU) | 0x4000U),
        low_((random.next() & 0x3FFFFFFFFFFFFFFFU) | 0x8000000000000000U) {}
  /// "01234567-89ab-4def-8123-456789abcdef"
  [[nodiscard]] std::string text() const;

 private:
  std::uint64_t high_;
  std::uint64_t low_;
};

}  // namespace oarlock
