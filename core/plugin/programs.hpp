#pragma once
#include <filesystem>
#include <string>

#include "core/base/result.hpp"

namespace oarlock::plugin {

/// A program of this build: beside the one that runs, as a build has it, or in ../libexec/oarlock,
/// where an installation keeps programs that nobody types. Error: no_host.
[[nodiscard]] result<std::filesystem::path> own_program(const std::string& name);

}  // namespace oarlock::plugin
