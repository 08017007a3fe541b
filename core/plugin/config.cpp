#include "core/plugin/config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"
#include "core/plugin/config_schema.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/file.hpp"

namespace oarlock::plugin {

namespace {

error refused(const std::string& message) {
  return {plugin_error::bad_config, message};
}
error refused(const error& why) {
  return refused(why.message);
}

// What a person wrote, and where each part of it stands.
struct document {
  YAML::Node yaml;  // undefined of JSON
  std::string json;
};

// Whether there is more than comments.
bool says_something(std::string_view yaml) {
  while (!yaml.empty()) {
    const auto end = std::min(yaml.find('\n'), yaml.size());
    const auto first = yaml.substr(0, end).find_first_not_of(" \t\r");
    if (first != std::string_view::npos && yaml[first] != '#') return true;
    yaml.remove_prefix(std::min(end + 1, yaml.size()));
  }
  return false;
}

result<document> read(const given_config& given) {
  if (given.file.empty()) return document{YAML::Node(YAML::NodeType::Undefined), given.text};
  if (!says_something(given.text)) return document{{}, "{}"};
  const auto yaml = parse_yaml(given.text, given.file);
  if (!yaml) return refused(yaml.error());
  const auto json = yaml_to_json(*yaml, given.file.string());
  if (!json) return refused(json.error());
  return document{*yaml, *json};
}

}  // namespace

result<std::string> check_config(const manifest& declared, const given_config& given) {
  const auto found = read(given);
  if (!found) return found.error();
  const std::string where = given.file.empty()
                                ? fmt::format("configuration of plugin {}", declared.name)
                                : given.file.string();
  auto config = json::parse(found->json.empty() ? "{}" : found->json);
  if (!config) return refused(config.error().within(where));
  if (declared.config_schema.empty()) {
    if (config->IsObject() && config->ObjectEmpty()) return std::string("{}");
    return refused(
        fmt::format("{}: expected none, as plugin {} has no spec.configSchema in its "
                    "plugin.yaml, found one",
                    where, declared.name));
  }
  const auto schema = json::parse(declared.config_schema);
  if (!schema) return schema.error();
  if (const auto wrong = complete_config(*config, *schema)) {
    if (given.file.empty()) return refused(fmt::format("{}: {}", where, wrong->message));
    return refused(error_at(where, found->yaml, wrong->path, wrong->message));
  }
  return json::write(*config);
}

result<> config_table::add(const std::string& entry) {
  const auto equals = entry.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == entry.size()) {
    return error{plugin_error::bad_config,
                 fmt::format("expected PLUGIN=FILE, such as myapp=/etc/oarlock/myapp.yaml, found "
                             "\"{}\"",
                             entry)};
  }
  entries_.push_back(entry);
  files_[entry.substr(0, equals)] = entry.substr(equals + 1);
  return {};
}

result<given_config> config_table::of(std::string_view plugin,
                                      const given_config& otherwise) const {
  const auto found = files_.find(plugin);
  if (found == files_.end()) return otherwise;
  auto text = read_file(found->second, limits::yaml_file_bytes_max);
  if (!text) return refused(text.error().within(fmt::format("configuration of plugin {}", plugin)));
  given_config out(std::move(*text));
  out.file = found->second;
  return out;
}

std::string config_table::text_of(std::string_view plugin) const {
  const auto found = of(plugin, "");
  return found ? found->text : std::string();
}

std::string config_table::all_texts() const {
  std::string out;
  for (const auto& [plugin, file] : files_)
    out.append(plugin).append(1, '\0').append(text_of(plugin)).append(1, '\0');
  return out;
}

}  // namespace oarlock::plugin
