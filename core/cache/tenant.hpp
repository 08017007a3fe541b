#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace oarlock::cache {

/// Whom readers read for, and how much the cache may hold that nobody else reads. Loop-bound.
struct tenant {
  std::size_t bytes_max = 0;  ///< 0: no limit
  /// Called once, on the loop and never from inside a handler, when it holds more: the watches that
  /// only it reads have ended by then. It is to leave them.
  std::function<void(std::size_t bytes)> over;
  bool is_over = false;  ///< the cache's note
};
using tenant_ptr = std::shared_ptr<tenant>;

}  // namespace oarlock::cache
