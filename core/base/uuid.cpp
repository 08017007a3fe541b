#include "core/base/uuid.hpp"

#include <fmt/format.h>

namespace oarlock {

std::string uuid::text() const {
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high_ >> 32U, (high_ >> 16U) & 0xFFFFU,
                     high_ & 0xFFFFU, low_ >> 48U, low_ & 0xFFFFFFFFFFFFU);
}

}  // namespace oarlock
