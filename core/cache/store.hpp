#pragma once
// The objects of one watch. Readers on any thread take one pointer copy under a shard's lock; the
// reflector is the single writer. Lists are built beside the store and swapped in at once.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/cache/change.hpp"
#include "core/cache/index_set.hpp"
#include "core/cache/object.hpp"

namespace oarlock::cache {

/// Orders objects by namespace and name, and finds them by key.
struct by_key {
  using is_transparent = void;
  static const object_key& key(const object_ptr& o) { return o->meta().key; }
  static const object_key& key(const object_key& k) { return k; }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return key(a) < key(b);
  }
};
using sorted_objects = std::set<object_ptr, by_key>;

class store {
 public:
  static constexpr std::size_t shard_count = 64;

  store();
  ~store();
  store(const store&) = delete;
  store& operator=(const store&) = delete;

  // Thread: any.
  [[nodiscard]] object_ptr get(const object_key& key) const;
  /// Sorted by key. An empty `ns` means all.
  [[nodiscard]] std::vector<object_ptr> list(std::string_view ns = {}) const;
  [[nodiscard]] std::vector<object_ptr> owned_by(std::string_view owner_uid) const;
  [[nodiscard]] std::vector<object_ptr> labelled(std::string_view ns, std::string_view label,
                                                 std::string_view value) const;
  [[nodiscard]] std::vector<object_ptr> with_value(std::string_view ns, std::string_view pointer,
                                                   std::string_view value) const;
  [[nodiscard]] std::size_t object_count() const { return count_; }
  [[nodiscard]] std::size_t object_bytes() const { return bytes_; }

  // Thread: the writer's.
  /// Indexes by what `more` has and the store has not: walks all objects once. Also a list in the
  /// making gets them, at its commit.
  void add_indexes(const index_set& more);

  enum class verdict {
    changed,
    duplicate,  ///< it has this very version
    older,      ///< it has a newer one: refused
  };
  struct outcome {
    verdict what;
    std::vector<change> changes;  ///< a UID change gives two: the delete, then the add
  };
  /// An object that was added or modified.
  outcome apply(const object_ptr& next);
  /// An object that is gone; `last` is its last state. It is the `before` of the change unless the
  /// store has the object.
  outcome remove(const object_ptr& last);

  /// A list in the making, invisible until commit().
  class staging;
  [[nodiscard]] std::unique_ptr<staging> begin_staging() const;
  /// What commit() will change in one of shard_count parts of the store; in parts so that the
  /// caller can pause. Objects that are gone come as tombstones, with the last state that was
  /// known.
  void diff(const staging& next, std::size_t shard, std::vector<change>& changes) const;
  /// The store becomes what `next` holds, at once for every reader. `next` then holds what was
  /// before: drop() it in parts.
  void commit(staging& next);

  /// Grows with every change. A reader that joins at n has seen all changes up to n in the store.
  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }

 private:
  struct contents;
  void count(const object_ptr& gone, const object_ptr& come);

  index_set indexes_;
  std::atomic<bool> namespaces_indexed_{false};  // for readers, what indexes_ says
  std::unique_ptr<contents> contents_;
  std::atomic<std::size_t> count_{0};
  std::atomic<std::size_t> bytes_{0};
  std::uint64_t sequence_ = 0;
};

class store::staging {
 public:
  ~staging();
  /// Takes `next` unless the store has the same or, when `keep_newer`, a newer version of it: then
  /// the store's own pointer stays, so that a relist does not double the memory. Without
  /// `keep_newer` the list is believed to the byte: a version does not say by which schema it was
  /// read.
  void put(object_ptr next, bool keep_newer);
  void erase(const object_key& key);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// How many objects came older than the store has them and were left out for `keep_newer`.
  [[nodiscard]] std::size_t older() const { return older_; }
  /// Frees one of shard_count parts.
  void drop(std::size_t shard);

 private:
  friend class store;
  explicit staging(const store& target);
  const store& target_;
  const index_set indexes_;  // the target's when it began
  std::unique_ptr<contents> contents_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::size_t older_ = 0;
};

}  // namespace oarlock::cache
