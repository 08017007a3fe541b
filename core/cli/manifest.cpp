#include "core/cli/manifest.hpp"

#include <fmt/format.h>

#include <map>

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/file.hpp"
#include "core/plugin/yaml.hpp"

namespace oarlock::cli {

namespace {

namespace fs = std::filesystem;
using plugin::plugin_error;

// A plugin's files as the build puts them: crds/x.yaml, and the same as crds/x.json.
std::map<std::string, fs::path> crd_files(const fs::path& folder) {
  std::map<std::string, fs::path> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / "crds", none)) {
    const auto& file = entry.path();
    const bool is_yaml = file.extension() == ".yaml";
    if (!is_yaml && file.extension() != ".json") continue;
    auto& slot = found[file.stem().string()];
    if (slot.empty() || is_yaml) slot = file;
  }
  return found;
}

// JSON may come from an image, whose bytes never reach the YAML parser.
result<std::string> kind_of(const fs::path& file, const std::string& text) {
  if (file.extension() == ".json") {
    const auto document = json::parse(text);
    if (!document) return document.error().within(file.string());
    return std::string(json::string_at(*document, "/kind"));
  }
  const auto document = plugin::load_yaml(file);
  if (!document) return document.error();
  return document->IsMap() ? (*document)["kind"].as<std::string>("") : std::string();
}

result<> add_crds(const fs::path& folder, std::string& out) {
  for (const auto& [stem, file] : crd_files(folder)) {
    const auto text = plugin::read_file(file, limits::yaml_file_bytes_max);
    if (!text) return text.error();
    const auto kind = kind_of(file, *text);
    if (!kind) return kind.error();
    if (*kind != "CustomResourceDefinition") {
      return error{plugin_error::bad_manifest,
                   fmt::format("{}: expected a CustomResourceDefinition, found \"{}\"; crds/ holds "
                               "nothing else",
                               file.string(), *kind)};
    }
    out += "---\n" + *text;
    if (!out.ends_with('\n')) out += '\n';
  }
  return {};
}

}  // namespace

result<std::string> plugin_manifest(const fs::path& path, const manifest_options& options) {
  if (auto ok = plugin::check(options); !ok) return ok.error();
  const auto file = plugin::manifest_beside(path);
  const auto declared = plugin::read_manifest(file);
  if (!declared) return declared.error();
  std::string out;
  if (auto done = add_crds(file.parent_path(), out); !done) return done.error();
  return out + plugin::rbac_yaml(*declared, options);
}

std::string plugin_object_yaml(const plugin_object_options& options) {
  auto out = fmt::format(
      "---\napiVersion: oarlock.dev/v1alpha1\nkind: Plugin\nmetadata:\n  name: {}\nspec:\n"
      "  image: \"{}\"\n  runtime: {}\n  home: {}\n",
      options.name, options.image, options.runtime, options.home);
  if (!options.pull_secrets.empty()) out += "  imagePullSecrets:\n";
  for (const auto& secret : options.pull_secrets)
    out += fmt::format("    - name: {}\n", secret);
  return out;
}

}  // namespace oarlock::cli
