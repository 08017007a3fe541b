#include "core/kube/discovery.hpp"

#include "core/json/parse.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::kube {

namespace {

using rapidjson::Value;

constexpr const char* aggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

// The elements of a list member; nothing when it is absent or no list.
std::vector<const Value*> list_at(const Value& of, const char* pointer) {
  std::vector<const Value*> out;
  const auto* list = json::find(of, pointer);
  if (list == nullptr || !list->IsArray()) return out;
  for (const auto& element : list->GetArray())
    out.push_back(&element);
  return out;
}

std::vector<std::string> strings_at(const Value& of, const char* pointer) {
  std::vector<std::string> out;
  for (const auto* element : list_at(of, pointer)) {
    if (element->IsString()) out.emplace_back(element->GetString(), element->GetStringLength());
  }
  return out;
}

api_kind read_kind(const Value& entry, const std::string& group, const std::string& version) {
  api_kind out;
  out.what = {group, version, std::string(json::string_at(entry, "/responseKind/kind")),
              std::string(json::string_at(entry, "/resource")),
              json::string_at(entry, "/scope") == "Namespaced"};
  out.singular = json::string_at(entry, "/singularResource");
  out.short_names = strings_at(entry, "/shortNames");
  out.verbs = strings_at(entry, "/verbs");
  for (const auto* sub : list_at(entry, "/subresources"))
    out.subresources.emplace_back(json::string_at(*sub, "/subresource"));
  return out;
}

}  // namespace

result<> parse_discovery(std::string_view body, api_surface& into) {
  const auto parsed = json::parse(body);
  if (!parsed) return parsed.error().within("discovery");
  if (json::string_at(*parsed, "/kind") != "APIGroupDiscoveryList") {
    return error{
        kube_error::bad_answer,
        "discovery: expected an APIGroupDiscoveryList (Kubernetes 1.30 or later), found '" +
            std::string(json::string_at(*parsed, "/kind").substr(0, 64)) + "'"};
  }
  for (const auto* group : list_at(*parsed, "/items")) {
    const std::string name(json::string_at(*group, "/metadata/name"));
    for (const auto* served : list_at(*group, "/versions")) {
      const std::string version(json::string_at(*served, "/version"));
      if (json::string_at(*served, "/freshness") == "Stale") {
        into.stale.push_back(name + "/" + version);
      }
      for (const auto* entry : list_at(*served, "/resources")) {
        auto kind = read_kind(*entry, name, version);
        if (kind.what.kind.empty() || kind.what.plural.empty()) continue;
        into.kinds.push_back(std::move(kind));
      }
    }
  }
  return {};
}

task<result<api_surface>> discover(client* from, std::stop_token stop) {
  api_surface out;
  for (const auto* path : {"/api", "/apis"}) {
    const auto body = co_await from->get_path(path, stop, aggregated);
    if (!body) co_return body.error();
    if (auto read = parse_discovery(*body, out); !read) co_return read.error();
  }
  co_return out;
}

}  // namespace oarlock::kube
