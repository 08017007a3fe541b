#include "core/controller/child.hpp"

#include <rapidjson/document.h>

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/sha256.hpp"
#include "core/controller/errors.hpp"
#include "core/controller/json_text.hpp"
#include "core/json/matcher.hpp"
#include "core/json/parse.hpp"

namespace oarlock::controller {

namespace {

using rapidjson::Value;

std::string_view string_member(const Value& object, const char* name) {
  const auto found = object.FindMember(name);
  if (found == object.MemberEnd() || !found->value.IsString()) return {};
  return {found->value.GetString(), found->value.GetStringLength()};
}

// The member `name` of `parent` as an object; made, or made anew, when it is not one.
Value& object_member(Value& parent, const char* name, rapidjson::Document::AllocatorType& memory) {
  const auto found = parent.FindMember(name);
  if (found != parent.MemberEnd()) {
    if (!found->value.IsObject()) found->value.SetObject();
    return found->value;
  }
  parent.AddMember(Value(name, memory), Value(rapidjson::kObjectType), memory);
  return parent[name];
}

void set_string(Value& object, std::string_view name, std::string_view value,
                rapidjson::Document::AllocatorType& memory) {
  const auto key = text(name, memory);
  const auto found = object.FindMember(key);
  if (found != object.MemberEnd()) {
    found->value = text(value, memory);
  } else {
    object.AddMember(text(name, memory), text(value, memory), memory);
  }
}

void set_owner(Value& metadata, const controller_spec& spec, const cache::object& primary,
               rapidjson::Document::AllocatorType& memory) {
  Value owner(rapidjson::kObjectType);
  set_string(owner, "apiVersion", spec.primary.api_version(), memory);
  set_string(owner, "kind", spec.primary.kind, memory);
  set_string(owner, "name", primary.meta().key.name, memory);
  set_string(owner, "uid", primary.meta().uid, memory);
  owner.AddMember("controller", true, memory);
  owner.AddMember("blockOwnerDeletion", true, memory);
  Value owners(rapidjson::kArrayType);
  owners.PushBack(owner, memory);
  metadata.RemoveMember("ownerReferences");
  metadata.AddMember("ownerReferences", owners, memory);
}

const kube::resource* owned_kind(const controller_spec& spec, std::string_view api_version,
                                 std::string_view kind) {
  for (const auto* list : {&spec.owns, &spec.owns_uncached}) {
    const auto found = std::find_if(list->begin(), list->end(), [&](const auto& r) {
      return r.kind == kind && r.api_version() == api_version;
    });
    if (found != list->end()) return &*found;
  }
  return nullptr;
}

bool has_applied_hash(const child& wanted, const cache::object& live) {
  const auto applied = live.meta().annotations.find(std::string(applied_annotation));
  return applied != live.meta().annotations.end() && applied->second == wanted.hash;
}

void set_meta(child& wanted, std::string_view field, const std::string& value) {
  auto body = json::parse(wanted.body);
  OARLOCK_ASSERT(body.has_value(), "complete_child wrote it");
  auto& memory = body->GetAllocator();
  set_string(object_member(*body, "metadata", memory), field, value, memory);
  wanted.body = json::write(*body);
}

error wrong_intent(std::string message) {
  return {controller_error::invalid_intent, std::move(message)};
}

}  // namespace

result<child> complete_child(const intent& wanted, const controller_spec& spec,
                             const cache::object& primary) {
  auto parsed = json::parse(wanted.json);
  if (!parsed) return parsed.error().within("child of " + primary.meta().key.text());
  auto& document = *parsed;
  if (!document.IsObject()) return wrong_intent("expected a child as a JSON object");
  const auto kind = string_member(document, "kind");
  const auto api_version = string_member(document, "apiVersion");
  const auto* owned = owned_kind(spec, api_version, kind);
  if (owned == nullptr) {
    return wrong_intent("expected a child of a kind that plugin.yaml lists under owns, found " +
                        std::string(api_version) + " " + std::string(kind) +
                        ": list it, or do not apply it");
  }
  auto& memory = document.GetAllocator();
  auto& metadata = object_member(document, "metadata", memory);
  const std::string name(string_member(metadata, "name"));
  if (name.empty()) return wrong_intent("expected metadata.name on a " + owned->kind);
  const auto& ns = primary.meta().key.ns;
  const auto named_ns = string_member(metadata, "namespace");
  if (!named_ns.empty() && named_ns != ns) {
    return wrong_intent("expected " + owned->kind + " " + name + " in the primary's namespace " +
                        ns + ", found " + std::string(named_ns));
  }
  if (!ns.empty()) set_string(metadata, "namespace", ns, memory);
  set_owner(metadata, spec, primary, memory);
  set_string(object_member(metadata, "labels", memory), managed_by_label, managed_by_value, memory);
  child made{*owned, {ns, name}, wanted.group, {}, {}};
  made.hash = sha256_hex(json::write(document)).substr(0, 32);
  set_string(object_member(metadata, "annotations", memory), applied_annotation, made.hash, memory);
  made.body = json::write(document);
  return made;
}

void guard_by_uid(child& wanted, const std::string& uid) {
  set_meta(wanted, "uid", uid);
}

void create_only(child& wanted) {
  set_meta(wanted, "resourceVersion", "1");
}

bool controls(const cache::object& primary, const cache::object& live) {
  const auto* owner = live.meta().controller();
  return owner != nullptr && owner->uid == primary.meta().uid;
}

child_action decide_child(const child& wanted, const cache::object* live,
                          const cache::object& primary) {
  if (live == nullptr) return child_action::create;
  if (!controls(primary, *live)) return child_action::conflict;
  if (!has_applied_hash(wanted, *live)) return child_action::update;
  const auto live_json = json::parse(live->json());
  const auto wanted_json = json::parse(wanted.body);
  if (!live_json || !wanted_json) return child_action::update;
  return json::contains(*live_json, *wanted_json) ? child_action::none : child_action::update;
}

child_action decide_uncached(const child& wanted, const cache::object& live,
                             const cache::object& primary) {
  if (!controls(primary, live)) return child_action::conflict;
  return has_applied_hash(wanted, live) ? child_action::none : child_action::update;
}

std::string field_manager(const controller_spec& spec) {
  return "oarlock-" + spec.plugin;
}
std::string status_field_manager(const controller_spec& spec) {
  return "oarlock-" + spec.plugin + "-status";
}

}  // namespace oarlock::controller
