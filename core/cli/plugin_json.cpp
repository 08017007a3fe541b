#include "core/cli/plugin_json.hpp"

#include "core/plugin/manifest.hpp"
#include "core/plugin/yaml.hpp"

namespace oarlock::cli {

result<std::string> plugin_json(const std::filesystem::path& file) {
  const auto document = plugin::load_yaml(file);
  if (!document) return document.error();
  const bool has_kind = document->IsMap() && (*document)["kind"].IsDefined();
  if (has_kind && (*document)["kind"].as<std::string>("") == "PluginManifest") {
    const auto manifest = plugin::read_manifest(file);
    if (!manifest) return manifest.error();
  }
  return plugin::yaml_to_json(*document, file.string());
}

}  // namespace oarlock::cli
