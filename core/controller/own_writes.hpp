#pragma once
// Own writes: a key is not reconciled again until the cache has seen what its last writes did, or
// it would act on a view that is older than its own doing (KEP-5647).
#include <map>
#include <string>
#include <vector>

#include "core/cache/informer_cache.hpp"
#include "core/cache/object.hpp"

namespace oarlock::controller {

/// Thread: one. Informers outlive it.
class own_writes {
 public:
  /// `key` wrote an object that `where` watches and got back `version`.
  void expect_version(const cache::object_key& key, const cache::informer& where,
                      std::string version);
  /// `key` deleted the object `what` with `uid`.
  void expect_gone(const cache::object_key& key, const cache::informer& where,
                   cache::object_key what, std::string uid);
  /// `key`, which `where` watches, was given up: it is to be gone, or without `finalizer`.
  void expect_released(const cache::object_key& key, const cache::informer& where, std::string uid,
                       std::string finalizer);
  /// True when the cache has caught up with every write of `key`. Versions without an order
  /// (aggregated APIs) count as seen.
  [[nodiscard]] bool seen(const cache::object_key& key);
  /// True when `version` of an object that `where` watches is one that `key` wrote, as far as it is
  /// remembered: until the cache has seen it and `seen` was asked.
  [[nodiscard]] bool wrote(const cache::object_key& key, const cache::informer& where,
                           const std::string& version) const;
  /// True when `key` wrote to an informer other than `where` since `seen` was last asked.
  [[nodiscard]] bool wrote_outside(const cache::object_key& key,
                                   const cache::informer& where) const;
  void forget(const cache::object_key& key) { waiting_.erase(key); }
  /// The history of `where` was rewound: versions that were written to it may never come.
  void forget_all_in(const cache::informer& where);

 private:
  struct expectation {
    const cache::informer* where;
    std::string version;  ///< empty: for an object to be gone
    cache::object_key what;
    std::string uid;
    std::string finalizer;  ///< empty: gone, or being deleted, is enough
  };
  [[nodiscard]] static bool met(const expectation& e);

  std::map<cache::object_key, std::vector<expectation>> waiting_;
};

}  // namespace oarlock::controller
