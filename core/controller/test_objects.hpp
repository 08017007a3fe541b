#pragma once
// Objects for the tests of this folder.
#include <rapidjson/document.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "core/cache/object.hpp"
#include "core/controller/spec.hpp"
#include "core/json/parse.hpp"

namespace oarlock::controller::testing {

inline const kube::resource widgets{"example.com", "v1", "Widget", "widgets", true};
inline const kube::resource deployments{"apps", "v1", "Deployment", "deployments", true};
inline const kube::resource services{"", "v1", "Service", "services", true};

inline const kube::resource secrets{"", "v1", "Secret", "secrets", true};

inline controller_spec widget_spec() {
  return {"widget", "widget", widgets, {deployments, services}, {}, 16, {}};
}

inline void read_strings(const rapidjson::Value* map, std::map<std::string, std::string>& into) {
  if (map == nullptr || !map->IsObject()) return;
  for (const auto& entry : map->GetObject()) {
    into.emplace(entry.name.GetString(), entry.value.GetString());
  }
}

/// An object as the cache would hold it, from its JSON.
inline cache::object_ptr cached(const std::string& text) {
  const auto parsed = json::parse(text);
  if (!parsed) throw std::invalid_argument(parsed.error().message);
  cache::object_meta meta;
  meta.key = {std::string(json::string_at(*parsed, "/metadata/namespace")),
              std::string(json::string_at(*parsed, "/metadata/name"))};
  meta.uid = json::string_at(*parsed, "/metadata/uid");
  meta.resource_version = json::string_at(*parsed, "/metadata/resourceVersion");
  meta.generation = json::int_at(*parsed, "/metadata/generation").value_or(0);
  meta.deleting = json::find(*parsed, "/metadata/deletionTimestamp") != nullptr;
  read_strings(json::find(*parsed, "/metadata/labels"), meta.labels);
  read_strings(json::find(*parsed, "/metadata/annotations"), meta.annotations);
  const auto* owners = json::find(*parsed, "/metadata/ownerReferences");
  for (rapidjson::SizeType i = 0; owners != nullptr && i < owners->Size(); ++i) {
    const auto& owner = (*owners)[i];
    meta.owners.push_back({std::string(json::string_at(owner, "/apiVersion")),
                           std::string(json::string_at(owner, "/kind")),
                           std::string(json::string_at(owner, "/name")),
                           std::string(json::string_at(owner, "/uid")),
                           json::bool_at(owner, "/controller").value_or(false)});
  }
  return std::make_shared<const cache::object>(std::move(meta), text);
}

inline cache::object_ptr widget(const std::string& status = "{}") {
  return cached(R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w",)"
                R"("namespace":"ns","uid":"u-1","generation":3},"spec":{},"status":)" +
                status + "}");
}

}  // namespace oarlock::controller::testing
