#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "core/cache/object.hpp"

namespace oarlock::controller {

/// What a controller has in the cache, for reads beyond the inputs of a plan. Thread: any, during a
/// plan.
class cached_kinds {
 public:
  virtual ~cached_kinds() = default;
  /// All objects of a kind ("deployments.apps") at one moment, sorted by key; an empty `ns` or
  /// `owner_uid` means any. nullopt: the controller has no such kind, or it is not cached.
  [[nodiscard]] virtual std::optional<std::vector<cache::object_ptr>> list_cached(
      std::string_view resource, std::string_view ns, std::string_view owner_uid) const = 0;
};

}  // namespace oarlock::controller
