#include "core/package/crd_fit.hpp"

#include <fmt/format.h>

#include <string_view>

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"

namespace oarlock::package {

namespace {

using value = rapidjson::Value;

const value* member(const value& map, const char* name) {
  if (!map.IsObject()) return nullptr;
  const auto found = map.FindMember(name);
  return found == map.MemberEnd() ? nullptr : &found->value;
}

// Where the schema `live` has no field that `wanted` has; empty: nowhere. The nesting of what was
// parsed is bounded (limits::json_depth_max), so this may call itself.
std::string schema_gap(const value& wanted, const value& live, const std::string& path) {
  if (const auto* fields = member(wanted, "properties"); fields != nullptr && fields->IsObject()) {
    const auto* have = member(live, "properties");
    for (const auto& field : fields->GetObject()) {
      const auto where = path + "." + field.name.GetString();
      const auto* other = have == nullptr ? nullptr : member(*have, field.name.GetString());
      if (other == nullptr) return where;
      if (auto deeper = schema_gap(field.value, *other, where); !deeper.empty()) return deeper;
    }
  }
  for (const char* nested : {"items", "additionalProperties"}) {
    const auto* inner = member(wanted, nested);
    if (inner == nullptr || !inner->IsObject()) continue;
    const auto* other = member(live, nested);
    const auto where = path + "[]";
    if (other == nullptr || !other->IsObject()) return where;
    if (auto deeper = schema_gap(*inner, *other, where); !deeper.empty()) return deeper;
  }
  return {};
}

const value* version_of(const value& crd, std::string_view name) {
  const auto* versions = json::find(crd, "/spec/versions");
  if (versions == nullptr || !versions->IsArray()) return nullptr;
  for (const auto& one : versions->GetArray()) {
    if (json::string_at(one, "/name") == name) return &one;
  }
  return nullptr;
}

}  // namespace

std::string crd_gap(const value& wanted, const value& live) {
  for (const char* same :
       {"/spec/group", "/spec/names/plural", "/spec/names/kind", "/spec/scope"}) {
    const auto expected = json::string_at(wanted, same);
    const auto found = json::string_at(live, same);
    if (expected.empty() || found != expected) {
      return fmt::format("{} \"{}\" (found \"{}\")", same, expected, found);
    }
  }
  const auto* versions = json::find(wanted, "/spec/versions");
  if (versions == nullptr || !versions->IsArray()) return "versions";
  for (const auto& one : versions->GetArray()) {
    if (!json::bool_at(one, "/served").value_or(false)) continue;
    const auto name = json::string_at(one, "/name");
    const auto* other = version_of(live, name);
    if (other == nullptr || !json::bool_at(*other, "/served").value_or(false)) {
      return fmt::format("version {}", name);
    }
    const auto* schema = json::find(one, "/schema/openAPIV3Schema");
    const auto* have = json::find(*other, "/schema/openAPIV3Schema");
    if (schema == nullptr) continue;
    const auto gap = have == nullptr ? std::string(".") : schema_gap(*schema, *have, "");
    if (!gap.empty()) return fmt::format("the field {} of version {}", gap, name);
    const bool has_status = json::find(one, "/subresources/status") != nullptr;
    if (has_status && json::find(*other, "/subresources/status") == nullptr) {
      return fmt::format("the status subresource of version {}", name);
    }
  }
  return {};
}

}  // namespace oarlock::package
