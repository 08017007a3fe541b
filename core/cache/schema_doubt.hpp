#pragma once
// When the objects of a kind are read again after its CRD has changed. Pure.
//
// An API server takes a new schema in steps (docs/decisions/0014-when-a-schema-changes.md): reads
// use it as soon as that server has heard of it; the watches that are open go on with the old one
// for a second or more and then end; other servers follow in their own time.
#include <cstddef>
#include <optional>

#include "core/base/clock.hpp"

namespace oarlock::cache {

namespace schema_limits {
using namespace std::chrono_literals;
/// From a change to the first list: longer than a server takes to hear of it, and about what it
/// takes to end its old watches.
inline constexpr duration first = 2s;
/// A list says that store and server agree only so long after the change, and is repeated so often
/// until one does: servers behind one address hear of a schema one after the other.
inline constexpr duration settled = 30s;
/// So long an old watch may live: a server ends it once the requests that came before the change
/// are over, or two minutes later.
inline constexpr duration doubt = 180s;
/// A server that answers differently each time (a conversion that is not deterministic) is not
/// asked for ever.
inline constexpr int lists_max = 8;
}  // namespace schema_limits

class schema_doubt {
 public:
  /// The schema changed. How long to wait before a list.
  duration changed(steady_time now) {
    since_ = now;
    left_ = schema_limits::lists_max;
    return schema_limits::first;
  }
  /// A quorum list has come, with so many objects at the version that was known, but other bytes.
  /// How long to wait before the next one; nothing: no more are needed.
  std::optional<duration> listed(steady_time now, std::size_t redecoded) {
    if (left_ == 0) return std::nullopt;
    const duration left = since_ + schema_limits::settled - now;
    const bool agrees = left <= duration::zero() && redecoded == 0;
    left_ = agrees ? 0 : left_ - 1;
    if (left_ == 0) return std::nullopt;
    return left > duration::zero() ? left : schema_limits::settled;
  }

 private:
  steady_time since_{};
  int left_ = 0;
};

}  // namespace oarlock::cache
