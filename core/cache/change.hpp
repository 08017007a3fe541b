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

/// Called on the stream loop in order; must return soon (enqueue a key, no more).
using change_handler = std::function<void(const change&)>;

}  // namespace oarlock::cache
