#include "core/plugin/json_node.hpp"

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/file.hpp"

namespace oarlock::plugin {

namespace {

YAML::Node scalar(const std::string& text, const char* tag) {
  YAML::Node node(text);
  node.SetTag(tag);
  return node;
}

// The parser has bounded the depth.
YAML::Node node_of(const rapidjson::Value& value) {
  if (value.IsObject()) {
    YAML::Node node(YAML::NodeType::Map);
    for (const auto& member : value.GetObject()) {
      node.force_insert(std::string(member.name.GetString(), member.name.GetStringLength()),
                        node_of(member.value));
    }
    return node;
  }
  if (value.IsArray()) {
    YAML::Node node(YAML::NodeType::Sequence);
    for (const auto& item : value.GetArray())
      node.push_back(node_of(item));
    return node;
  }
  // As the YAML parser tags what stands in quotes, and what does not.
  if (value.IsString()) return scalar({value.GetString(), value.GetStringLength()}, "!");
  if (value.IsNull()) return YAML::Node(YAML::NodeType::Null);
  return scalar(json::write(value), "?");
}

}  // namespace

result<YAML::Node> load_json(const std::filesystem::path& file) {
  const auto bytes = read_file(file, limits::yaml_file_bytes_max);
  if (!bytes) return bytes.error();
  const auto parsed = json::parse(*bytes);
  if (!parsed) {
    return error{plugin_error::bad_manifest, file.string() + ": " + parsed.error().message};
  }
  return node_of(*parsed);
}

}  // namespace oarlock::plugin
