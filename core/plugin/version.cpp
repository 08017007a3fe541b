#include "core/plugin/version.hpp"

namespace oarlock::plugin {

std::string_view core_version() {
  return OARLOCK_VERSION;
}

}  // namespace oarlock::plugin
