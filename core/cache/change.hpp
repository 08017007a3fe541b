#pragma once
#include <functional>

#include "core/cache/object.hpp"

namespace oarlock::cache {

/// A change as a reader sees it. `before` is null for a new object, `after` for one that is gone.
/// A UID change under one name arrives as a delete and then an add.
struct change {
  object_ptr before;
  object_ptr after;
  bool initial = false;  ///< part of the initial list, or of a relist's catching up
};

/// The same version with other bytes: the API server reads what is stored through the schema of the
/// moment.
[[nodiscard]] inline bool is_redecoded(const change& c) {
  if (!c.before || !c.after) return false;
  const auto& version = c.after->meta().resource_version;
  return !version.empty() && version == c.before->meta().resource_version;
}

/// Called on the stream loop in order; must return soon (enqueue a key, no more).
using change_handler = std::function<void(const change&)>;

}  // namespace oarlock::cache
