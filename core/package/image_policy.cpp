#include "core/package/image_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"
#include "core/package/errors.hpp"
#include "core/plugin/file.hpp"
#include "core/plugin/yaml.hpp"

namespace oarlock::package {

namespace {

namespace fs = std::filesystem;

using value = rapidjson::Value;

// The file as JSON that is rewritten into the parts of a request.
class policy_reader {
 public:
  policy_reader(const fs::path& file, rapidjson::Document root)
      : file_(file), root_(std::move(root)) {}

  result<image_policy> read() {
    if (!root_.IsObject()) return refuse("expected a map with rules");
    if (auto ok = know(
            root_, "",
            {"rules", "trustedRootFile", "registry", "imagePullSecrets", "credentialProviders"});
        !ok) {
      return ok.error();
    }
    image_policy out;
    if (auto ok = read_rules(out); !ok) return ok.error();
    if (auto ok = read_registry(out); !ok) return ok.error();
    if (auto ok = read_secrets(out); !ok) return ok.error();
    if (auto ok = read_providers(out); !ok) return ok.error();
    return out;
  }

 private:
  [[nodiscard]] error refuse(const std::string& why) const {
    return {package_error::policy_invalid, file_.string() + ": " + why};
  }

  [[nodiscard]] result<> know(const value& map, const std::string& where,
                              std::initializer_list<std::string_view> known) const {
    for (const auto& member : map.GetObject()) {
      const std::string_view name(member.name.GetString(), member.name.GetStringLength());
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      std::string names;
      for (const auto one : known)
        names.append(names.empty() ? "" : ", ").append(one);
      return refuse(fmt::format("{}expected one of {}, found \"{}\"", where, names, name));
    }
    return {};
  }

  // The text of a file that is named relative to ours.
  [[nodiscard]] result<std::string> text_of(const value& name) const {
    if (!name.IsString()) return refuse("expected the name of a file");
    return plugin::read_file(file_.parent_path() / name.GetString(), limits::yaml_file_bytes_max);
  }

  [[nodiscard]] value copy(const std::string& text) {
    return {text.data(), static_cast<rapidjson::SizeType>(text.size()), root_.GetAllocator()};
  }

  // "keyFiles" become "keys".
  [[nodiscard]] result<> inline_keys(value& rule) {
    const auto files = rule.FindMember("keyFiles");
    if (files == rule.MemberEnd()) return {};
    if (!files->value.IsArray()) return refuse("keyFiles: expected a list of files");
    auto& memory = root_.GetAllocator();
    value keys(rapidjson::kArrayType);
    for (const auto& name : files->value.GetArray()) {
      const auto text = text_of(name);
      if (!text) return refuse(text.error().message);
      keys.PushBack(copy(*text), memory);
    }
    rule.RemoveMember("keyFiles");
    const auto own = rule.FindMember("keys");
    if (own == rule.MemberEnd()) {
      rule.AddMember("keys", keys, memory);
      return {};
    }
    if (!own->value.IsArray()) return refuse("keys: expected a list of keys");
    for (auto& key : keys.GetArray())
      own->value.PushBack(key, memory);
    return {};
  }

  [[nodiscard]] result<> read_rules(image_policy& out) {
    auto& memory = root_.GetAllocator();
    value policy(rapidjson::kObjectType);
    value rules(rapidjson::kArrayType);
    if (const auto found = root_.FindMember("rules"); found != root_.MemberEnd()) {
      if (!found->value.IsArray()) return refuse("rules: expected a list");
      for (auto& rule : found->value.GetArray()) {
        if (!rule.IsObject()) return refuse("rules: expected maps");
        if (auto ok = inline_keys(rule); !ok) return ok;
      }
      rules = found->value;
    }
    policy.AddMember("rules", rules, memory);
    if (const auto file = root_.FindMember("trustedRootFile"); file != root_.MemberEnd()) {
      const auto text = text_of(file->value);
      if (!text) return refuse(text.error().message);
      const auto trusted = json::parse(*text);
      if (!trusted) return refuse("trustedRootFile: " + trusted.error().message);
      policy.AddMember("trustedRoot", value(*trusted, memory), memory);
    }
    out.policy = json::write(policy);
    return {};
  }

  [[nodiscard]] result<> read_registry(image_policy& out) {
    const auto found = root_.FindMember("registry");
    if (found == root_.MemberEnd()) return {};
    auto& registry = found->value;
    if (!registry.IsObject()) return refuse("registry: expected a map");
    if (auto ok = know(registry, "registry: ", {"insecure", "mirrors", "caFile"}); !ok) return ok;
    if (const auto file = registry.FindMember("caFile"); file != registry.MemberEnd()) {
      const auto text = text_of(file->value);
      if (!text) return refuse(text.error().message);
      registry.RemoveMember("caFile");
      registry.AddMember("caPem", copy(*text), root_.GetAllocator());
    }
    out.registry = json::write(registry);
    return {};
  }

  [[nodiscard]] result<> read_secrets(image_policy& out) const {
    const auto found = root_.FindMember("imagePullSecrets");
    if (found == root_.MemberEnd()) return {};
    if (!found->value.IsArray()) return refuse("imagePullSecrets: expected a list");
    for (const auto& one : found->value.GetArray()) {
      const auto name = one.IsObject() ? json::string_at(one, "/name") : std::string_view();
      if (name.empty()) return refuse("imagePullSecrets: expected items like {name: regcred}");
      out.pull_secrets.emplace_back(name);
    }
    return {};
  }

  // kubelet's configuration file, and the folder of its programs.
  [[nodiscard]] result<> read_providers(image_policy& out) {
    const auto found = root_.FindMember("credentialProviders");
    if (found == root_.MemberEnd()) return {};
    auto& providers = found->value;
    const std::string where = "credentialProviders: ";
    if (!providers.IsObject()) return refuse(where + "expected a map");
    if (auto ok = know(providers, where, {"configFile", "binDir"}); !ok) return ok;
    const auto config_file = json::string_at(providers, "/configFile");
    const auto folder = json::string_at(providers, "/binDir");
    if (config_file.empty() || folder.empty()) {
      return refuse(where + "expected configFile and binDir");
    }
    const auto yaml = plugin::load_yaml(file_.parent_path() / config_file);
    if (!yaml) return refuse(where + yaml.error().message);
    const auto text = plugin::yaml_to_json(*yaml, std::string(config_file));
    if (!text) return refuse(where + text.error().message);
    const auto config = json::parse(*text);
    if (!config) return refuse(where + config.error().message);
    auto& memory = root_.GetAllocator();
    const auto bin = fs::absolute(file_.parent_path() / folder);
    value all(rapidjson::kObjectType);
    all.AddMember("config", value(*config, memory), memory);
    all.AddMember("binDir", copy(bin.string()), memory);
    out.providers = json::write(all);
    return {};
  }

  const fs::path file_;
  rapidjson::Document root_;
};

}  // namespace

result<image_policy> read_image_policy(const fs::path& file) {
  if (file.empty()) return image_policy{};
  const auto invalid = [](const error& e) {
    return error{package_error::policy_invalid, e.message};
  };
  const auto yaml = plugin::load_yaml(file);
  if (!yaml) return invalid(yaml.error());
  const auto text = plugin::yaml_to_json(*yaml, file.string());
  if (!text) return invalid(text.error());
  auto root = json::parse(*text);
  if (!root) return invalid(root.error());
  return policy_reader(file, std::move(*root)).read();
}

}  // namespace oarlock::package
