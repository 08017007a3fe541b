#include "core/codegen/errors.hpp"
#include "core/codegen/generate.hpp"
#include "core/codegen/names.hpp"
#include "core/codegen/schema_types.hpp"
#include "core/json/parse.hpp"
#include "core/plugin/manifest.hpp"
#include "core/plugin/yaml.hpp"

namespace oarlock::codegen {

namespace fs = std::filesystem;

result<std::vector<generated_file>> types_of_manifest(const fs::path& file) {
  const auto declared = plugin::read_manifest(file);
  if (!declared) return declared.error();
  std::vector<generated_file> files;
  if (declared->config_schema.empty()) return files;
  const auto schema = json::parse(declared->config_schema);
  if (!schema) return schema.error().within(file.string());
  // What it is made of has names of its own, as the parts of a kind have.
  const std::string parts = "config_types";
  schema_types types({.scope = parts, .is_input = true});
  cpp_struct made = types.object(*schema, "config", {}, false, "");
  if (const auto& wrong = types.failed()) {
    return error{codegen_error::bad_document, file.string() + ": spec.configSchema." +
                                                  plugin::path_text(wrong->path) + ": " +
                                                  wrong->message};
  }
  made.is_root = true;
  types.add(std::move(made));
  const cpp_header header{
      file.filename().string(), {}, identifier(declared->name), parts, types.take_types()};
  files.push_back({fs::path(declared->name) / "config.hpp", text_of(header)});
  return files;
}

result<std::vector<generated_file>> types_of_file(const fs::path& file) {
  const auto document = plugin::load_yaml(file);
  if (!document) return document.error();
  const auto kind = document->IsMap() ? (*document)["kind"] : YAML::Node();
  const bool is_manifest = kind.IsDefined() && kind.as<std::string>("") == "PluginManifest";
  return is_manifest ? types_of_manifest(file) : types_of_crd(file);
}

}  // namespace oarlock::codegen
