#pragma once
#include <compare>
#include <string>
#include <string_view>

namespace oarlock::kube {

/// What a watch, a list or a write is about: a kind and where the API serves it.
struct resource {
  std::string group;  ///< empty for the core group
  std::string version;
  std::string kind;
  std::string plural;
  bool namespaced = true;

  auto operator<=>(const resource&) const = default;

  /// "apps/v1", or "v1" for the core group: the apiVersion of its objects.
  [[nodiscard]] std::string api_version() const;
  /// "deployments.apps", or "pods" for the core group: how people and metrics name it.
  [[nodiscard]] std::string name() const;
  /// "/apis/apps/v1/namespaces/<ns>/deployments[/<name>[/<subresource>]]". An empty `ns` is all
  /// namespaces. Segments are percent-encoded.
  [[nodiscard]] std::string path(std::string_view ns, std::string_view name = {},
                                 std::string_view subresource = {}) const;
};

/// The kind of kinds.
inline const resource crds{"apiextensions.k8s.io", "v1", "CustomResourceDefinition",
                           "customresourcedefinitions", false};

}  // namespace oarlock::kube
