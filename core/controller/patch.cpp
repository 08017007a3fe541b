#include "core/controller/patch.hpp"

#include <rapidjson/document.h>

#include "core/base/mutant.hpp"
#include "core/base/sha256.hpp"
#include "core/controller/errors.hpp"
#include "core/controller/json_text.hpp"
#include "core/json/matcher.hpp"
#include "core/json/parse.hpp"

namespace oarlock::controller {

namespace {

using rapidjson::Value;
using allocator = rapidjson::Document::AllocatorType;

Value& object_member(Value& parent, std::string_view name, allocator& memory) {
  const auto key = text(name, memory);
  const auto found = parent.FindMember(key);
  if (found == parent.MemberEnd()) {
    parent.AddMember(text(name, memory), Value(rapidjson::kObjectType), memory);
    return parent[key];
  }
  if (!found->value.IsObject()) found->value.SetObject();
  return found->value;
}

void set(Value& object, std::string_view name, std::string_view value, allocator& memory) {
  const auto key = text(name, memory);
  object.RemoveMember(key);
  object.AddMember(text(name, memory), text(value, memory), memory);
}

// A merge patch (RFC 7386) that would change nothing. Bounded by the depth that parse() allows.
bool changes_nothing(const Value& live, const Value& patch) {
  if (!patch.IsObject()) return live == patch;
  if (!live.IsObject()) return false;
  for (const auto& field : patch.GetObject()) {
    const auto there = live.FindMember(field.name);
    const bool absent = there == live.MemberEnd();
    if (field.value.IsNull() ? !absent : absent || !changes_nothing(there->value, field.value)) {
      return false;
    }
  }
  return true;
}

// `patch` is complete: what it says of the target wins over what the plugin wrote there.
bool says_all(const patch_existing& step, const Value& patch, const cache::object& live) {
  if (live.meta().uid != step.target.uid) return false;
  const auto parsed = json::parse(live.json());
  if (!parsed) return false;
  return step.merge ? changes_nothing(*parsed, patch) : json::contains(*parsed, patch);
}

void complete_apply(Value& patch, const step_target& target, const std::string& ns,
                    const std::string& mark, const std::string& hash, allocator& memory) {
  auto& metadata = object_member(patch, "metadata", memory);
  set(metadata, "name", target.name, memory);
  if (target.resource.namespaced) set(metadata, "namespace", ns, memory);
  set(object_member(metadata, "annotations", memory), mark, hash, memory);
  set(patch, "apiVersion", target.resource.api_version(), memory);
  set(patch, "kind", target.resource.kind, memory);
}

}  // namespace

std::string patched_annotation(const controller_spec& spec) {
  return spec.plugin + ".oarlock.dev/applied";
}

result<std::string> complete_patch(const patch_existing& step, const controller_spec& spec,
                                   const std::string& ns, const cache::object* live) {
  auto parsed = json::parse(step.json);
  const auto& target = step.target;
  if (!parsed) return parsed.error().within("patch of " + target.resource.kind + " " + target.name);
  if (!parsed->IsObject()) {
    return error{controller_error::invalid_intent, "expected a patch as a JSON object"};
  }
  auto& memory = parsed->GetAllocator();
  const auto hash = sha256_hex(json::write(*parsed)).substr(0, 32);
  auto& metadata = object_member(*parsed, "metadata", memory);
  if (!OARLOCK_MUTANT("patch_without_uid")) set(metadata, "uid", target.uid, memory);
  if (!target.resource_version.empty()) {
    set(metadata, "resourceVersion", target.resource_version, memory);
  }
  if (!step.merge) complete_apply(*parsed, target, ns, patched_annotation(spec), hash, memory);
  if (live != nullptr && says_all(step, *parsed, *live)) return std::string();
  return json::write(*parsed);
}

}  // namespace oarlock::controller
