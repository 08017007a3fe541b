#pragma once
#include <filesystem>

#include "core/base/result.hpp"
#include "oarlock/plugin.h"

namespace oarlock::plugin {

/// Maps a library (all symbols resolved now, none offered to others) and returns its entry
/// function. It stays mapped until the process ends: unloading C++ code is not safe, threads and
/// thread-local destructors may still point into it. Runs the library's constructors:
/// check_plugin() comes first.
[[nodiscard]] result<oarlock_plugin_entry> map_library(const std::filesystem::path& file);

}  // namespace oarlock::plugin
