#pragma once
// One request to the model server, taken apart.
#include <map>
#include <string>

#include "tests/sim/server.hpp"

namespace oarlock::sim {

struct model_server::call {
  const net::http_request* request = nullptr;
  std::string who;
  kind_store* store = nullptr;
  object_name name;  ///< an empty name: the collection
  std::string subresource;
  std::map<std::string, std::string> query;
  std::string content_type;
  std::string manager;
  js::object body;  ///< when there is one and it is an object

  [[nodiscard]] const kind_info& kind() const { return store->kind(); }
  [[nodiscard]] std::string param(const std::string& key) const {
    const auto found = query.find(key);
    return found == query.end() ? std::string() : found->second;
  }
  [[nodiscard]] version version_param(const std::string& key) const {
    const auto text = param(key);
    return text.empty() ? 0 : std::stoull(text);
  }
  /// For the Status of a refusal.
  [[nodiscard]] js::object details(bool by_kind = false) const {
    const auto& r = kind().resource;
    js::object out{{"name", name.name}};
    if (!r.group.empty()) out.emplace("group", r.group);
    out.emplace("kind", by_kind ? r.kind : r.plural);
    return out;
  }
  [[nodiscard]] std::string title() const {
    const auto& r = kind().resource;
    return r.name() + " \"" + name.name + "\"";
  }
};

/// A field of this call is not legal: 422 about options, not about the object.
[[nodiscard]] server_answer bad_options(const char* kind, const char* reason, const char* field,
                                        const std::string& why);
/// Splits path and query of `target`; percent-decodes. Throws when the kind is unknown.
struct parsed_target {
  std::string group, version, ns, plural, name, subresource;
  std::map<std::string, std::string> query;
};
[[nodiscard]] parsed_target parse_target(const std::string& target);

}  // namespace oarlock::sim
