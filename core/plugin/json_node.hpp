#pragma once
// JSON files of a plugin, which may come from an image: plugin.json.
#include <yaml-cpp/yaml.h>

#include <filesystem>

#include "core/base/result.hpp"

namespace oarlock::plugin {

/// A JSON file of at most limits::yaml_file_bytes_max as the nodes that load_yaml() would make of
/// it, so that one reader judges both. No byte of it reaches a YAML parser. Errors carry the file.
[[nodiscard]] result<YAML::Node> load_json(const std::filesystem::path& file);

}  // namespace oarlock::plugin
