#include "core/kube/resource.hpp"

#include "core/kube/url.hpp"

namespace oarlock::kube {

std::string resource::api_version() const {
  return group.empty() ? version : group + "/" + version;
}

std::string resource::name() const {
  return group.empty() ? plural : plural + "." + group;
}

std::string resource::path(std::string_view ns, std::string_view name,
                           std::string_view subresource) const {
  std::string out = group.empty() ? "/api" : "/apis";
  const auto add = [&](std::string_view segment) {
    out += '/';
    out += percent_encoded(segment);
  };
  if (!group.empty()) add(group);
  add(version);
  if (namespaced && !ns.empty()) {
    add("namespaces");
    add(ns);
  }
  add(plural);
  if (!name.empty()) add(name);
  if (!subresource.empty()) add(subresource);
  return out;
}

}  // namespace oarlock::kube
