#pragma once
#include <filesystem>
#include <string>

#include "core/plugin/checks.hpp"

namespace oarlock::cli {

struct report {
  std::string text;         ///< for people, ends with a line break
  bool would_load = false;  ///< as far as can be told without running the plugin's code
};

/// What there is to know about the plugin at `path` (folder, plugin.yaml or library). Runs none of
/// its code.
[[nodiscard]] report inspect(const std::filesystem::path& path,
                             plugin::export_rule rule = plugin::export_rule::refuse);

}  // namespace oarlock::cli
