#pragma once
#include <string_view>

namespace oarlock::plugin {

/// The version of this build, "0.1.0": what plugins are told and `oarlock version` prints.
[[nodiscard]] std::string_view core_version();

}  // namespace oarlock::plugin
