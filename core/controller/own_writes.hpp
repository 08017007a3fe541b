#pragma once
// Own writes: a key is not reconciled again until the cache has seen what its last writes did, or
// it would act on a view that is older than its own doing (KEP-5647).
#include <map>
#include <set>
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
  /// `key`, which is not seen() yet, waits. True when it is for a version, so that reached() will
  /// name it; false when it is for an object to be gone, which no version tells.
  bool wait(const cache::object_key& key);
  /// The keys that waited for a version of `where` that it has seen by now; each is named once.
  [[nodiscard]] std::vector<cache::object_key> reached(const cache::informer& where);
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

  /// Versions that were waited for have an order: others count as seen.
  struct is_earlier {
    bool operator()(const std::string& a, const std::string& b) const {
      const auto order = cache::compare_versions(a, b);
      return order && *order < 0;
    }
  };
  using awaited = std::map<std::string, std::set<cache::object_key>, is_earlier>;

  std::map<cache::object_key, std::vector<expectation>> waiting_;
  std::map<const cache::informer*, awaited> awaited_;
};

}  // namespace oarlock::controller
