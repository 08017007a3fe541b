#pragma once
#include <string>

#include "core/base/result.hpp"

namespace oarlock::cli {

/// Asks the oarlockd that listens on this Unix socket (--debug-socket) for its dump. Waits at most
/// ten seconds.
[[nodiscard]] result<std::string> debug_dump(const std::string& socket_path);

}  // namespace oarlock::cli
