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
  auto operator<=>(const scope&) const = default;
};

}  // namespace oarlock::cache
