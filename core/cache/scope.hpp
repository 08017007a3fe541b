#pragma once
#include <compare>
#include <string>

#include "core/kube/resource.hpp"

namespace oarlock::cache {

/// What one watch covers.
struct scope {
  kube::resource resource;
  std::string ns;  ///< empty: all namespaces
  std::string label_selector;
  std::string field_selector{};
  /// Objects without spec and status, of kind PartialObjectMetadata. A reader that asks for it
  /// joins a watch of whole objects on the same resource and selectors when there is one.
  bool metadata_only = false;
  auto operator<=>(const scope&) const = default;
};

}  // namespace oarlock::cache
