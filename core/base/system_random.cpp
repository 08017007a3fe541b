#include "core/base/system_random.hpp"

namespace oarlock {

system_random::system_random() {
  std::random_device device;
  engine_.seed((static_cast<std::uint64_t>(device()) << 32) | device());
}

std::uint64_t system_random::next() {
  const std::lock_guard lock(mutex_);
  return engine_();
}

}  // namespace oarlock
