#pragma once
#include <filesystem>
#include <string>

#include "core/base/result.hpp"

namespace oarlock::cli {

/// A YAML file of a plugin as one line of JSON. A plugin manifest is checked by its own rules; any
/// other document (a CRD) is converted as it is.
[[nodiscard]] result<std::string> plugin_json(const std::filesystem::path& file);

}  // namespace oarlock::cli
