#pragma once
#include <string>

#include "core/base/result.hpp"
#include "core/plugin/frame_io.hpp"

namespace oarlock::plugin {

/// The lowest number that a sealed file gets: above all that a child knows by number.
inline constexpr int first_free_fd = 64;

/// A memory file with `bytes` that nobody can change any more, to be mapped as a library. `name` is
/// seen in /proc/PID/maps. Errors: not_mapped.
[[nodiscard]] result<wire::descriptor> sealed_file(const std::string& name,
                                                   const std::string& bytes);

}  // namespace oarlock::plugin
