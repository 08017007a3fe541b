#pragma once
// plugin.yaml (apiVersion oarlock.dev/v1alpha1, kind PluginManifest): what a plugin says about
// itself, readable without loading its code. Schema: plugin-api/plugin-manifest.schema.json.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/controller/spec.hpp"

namespace oarlock::plugin {

struct manifest {
  std::string name;
  std::string version;
  std::string description;  ///< one sentence, may be empty
  std::string library;      ///< file name beside plugin.yaml
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::string config_schema;  ///< of its configuration, in JSON; empty: it takes none
  /// Of other machines, to which a child may open TCP connections; ascending. Empty: no network.
  std::vector<std::uint16_t> connect_ports;
  std::vector<controller::controller_spec> controllers;
};

/// Reads and checks a manifest: YAML, or JSON in a file *.json, as images have it. Unknown keys are
/// errors. Errors carry the file, of YAML also line and column.
[[nodiscard]] result<manifest> read_manifest(const std::filesystem::path& file);

/// Where the manifest of a plugin is: of its folder, of the file itself or of a library beside it;
/// plugin.yaml, or the plugin.json of an image that has no other.
[[nodiscard]] std::filesystem::path manifest_beside(const std::filesystem::path& path);

/// The names of its controllers.
[[nodiscard]] std::vector<std::string> controllers_of(const manifest& declared);

}  // namespace oarlock::plugin
