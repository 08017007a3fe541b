#include "core/base/system_clock.hpp"

namespace oarlock {

steady_time system_clock::now() const {
  return std::chrono::steady_clock::now();
}
wall_time system_clock::wall_now() const {
  return std::chrono::system_clock::now();
}

}  // namespace oarlock
