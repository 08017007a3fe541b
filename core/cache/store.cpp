#include "core/cache/store.hpp"

#include <algorithm>
#include <compare>
#include <functional>
#include <iterator>
#include <utility>

#include "core/base/mutant.hpp"
#include "core/json/scan.hpp"

namespace oarlock::cache {

namespace {

constexpr std::size_t shard_count = store::shard_count;

struct key_hash {
  using is_transparent = void;
  std::size_t operator()(const object_key& k) const {
    const std::size_t a = std::hash<std::string>{}(k.name);
    return a ^ (std::hash<std::string>{}(k.ns) + 0x9e3779b97f4a7c15U + (a << 6U) + (a >> 2U));
  }
  std::size_t operator()(const object_ptr& o) const { return (*this)(o->meta().key); }
};
struct key_equal {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return by_key::key(a) == by_key::key(b);
  }
};

// The low bits choose the bucket inside a shard, so the shard comes from the high ones.
std::size_t shard_of(std::size_t hash) {
  return static_cast<std::size_t>((static_cast<std::uint64_t>(hash) * 0x9e3779b97f4a7c15U) >> 58U);
}
static_assert(shard_count == 64, "shard_of takes six bits");

std::string owner_term(std::string_view uid) {
  return "o" + std::string(uid);
}

std::string namespace_term(std::string_view ns) {
  return "n" + std::string(ns);
}

// NUL cannot be part of a namespace or a label, and a value comes last.
std::string value_term(char kind, std::string_view ns, std::string_view label_or_pointer,
                       std::string_view value) {
  std::string term(1, kind);
  term.append(ns).append(1, '\0').append(label_or_pointer).append(1, '\0').append(value);
  return term;
}

void add_terms(const object& o, const index_set& by, std::vector<std::string>& terms) {
  const std::string& ns = o.meta().key.ns;
  if (by.namespaces) terms.push_back(namespace_term(ns));
  for (const auto& label : by.labels) {
    const auto found = o.meta().labels.find(label);
    if (found != o.meta().labels.end()) terms.push_back(value_term('l', ns, label, found->second));
  }
  if (by.pointers.empty()) return;
  const std::string text = o.json();  // once: it may lie packed
  for (const auto& pointer : by.pointers) {
    const auto value = json::scan_string(text, pointer);
    if (value) terms.push_back(value_term('p', ns, pointer, *value));
  }
}

std::vector<std::string> terms_of(const object& o, const index_set& by) {
  std::vector<std::string> terms;
  for (const auto& owner : o.meta().owners)
    terms.push_back(owner_term(owner.uid));
  add_terms(o, by, terms);
  return terms;
}

std::vector<std::string> missing(const std::vector<std::string>& wanted,
                                 const std::vector<std::string>& have) {
  std::vector<std::string> out;
  for (const auto& w : wanted) {
    if (std::find(have.begin(), have.end(), w) == have.end()) out.push_back(w);
  }
  return out;
}

// What is in `wanted` and not in `have`.
index_set difference(const index_set& wanted, const index_set& have) {
  return {missing(wanted.labels, have.labels), missing(wanted.pointers, have.pointers),
          wanted.namespaces && !have.namespaces};
}

// True when `a` is known to be older than `b`.
bool is_older(const object_ptr& a, const object_ptr& b) {
  const auto order = compare_versions(a->meta().resource_version, b->meta().resource_version);
  return order && *order < 0;
}

bool is_same(const object_ptr& a, const object_ptr& b) {
  return a->meta().uid == b->meta().uid && !a->meta().resource_version.empty() &&
         a->meta().resource_version == b->meta().resource_version;
}

// Exchanges the object that a set holds for one of the same key, which therefore stays in place.
void replace(const object_ptr& element, const object_ptr& by) {
  const_cast<object_ptr&>(element) = by;
}

void add_changes(const object_ptr& before, const object_ptr& after, bool initial,
                 std::vector<change>& changes) {
  const bool other_uid = before && after && before->meta().uid != after->meta().uid;
  if (other_uid && !OARLOCK_MUTANT("new_uid_is_an_update")) {
    changes.push_back({before, nullptr, initial});
    changes.push_back({nullptr, after, initial});
  } else {
    changes.push_back({before, after, initial});
  }
}

std::vector<change> changes_between(const object_ptr& before, const object_ptr& after) {
  std::vector<change> changes;
  add_changes(before, after, false, changes);
  return changes;
}

}  // namespace

struct store::contents {
  struct object_shard {
    std::unordered_set<object_ptr, key_hash, key_equal> objects;
  };
  struct index_shard {
    std::unordered_map<std::string, sorted_objects> terms;
  };
  std::array<object_shard, shard_count> shards;
  std::array<index_shard, shard_count> indexes;
  // Each for several shards: commit() holds all of them, and TSan knows of at most 64.
  static constexpr std::size_t lock_count = 16;
  std::array<std::mutex, lock_count> object_locks, index_locks;

  std::mutex& lock_of(const object_shard& in) {
    return object_locks[static_cast<std::size_t>(&in - shards.data()) % lock_count];
  }
  std::mutex& lock_of(const index_shard& in) {
    return index_locks[static_cast<std::size_t>(&in - indexes.data()) % lock_count];
  }
  object_shard& shard(const object_key& key) { return shards[shard_of(key_hash{}(key))]; }
  index_shard& index(const std::string& term) {
    return indexes[shard_of(std::hash<std::string>{}(term))];
  }

  // For the writer, who needs no lock to read what only it changes.
  object_ptr peek(const object_key& key) {
    auto& objects = shard(key).objects;
    const auto found = objects.find(key);
    return found == objects.end() ? nullptr : *found;
  }

  void add_term(const std::string& term, const object_ptr& o) {
    auto& in = index(term);
    const std::lock_guard lock(lock_of(in));
    auto& members = in.terms[term];
    const auto found = members.find(o);  // an earlier version of the object counts as equal
    if (found == members.end()) {
      members.insert(o);
    } else {
      replace(*found, o);
    }
  }

  void remove_term(const std::string& term, const object_ptr& o) {
    auto& in = index(term);
    const std::lock_guard lock(lock_of(in));
    const auto found = in.terms.find(term);
    if (found == in.terms.end()) return;
    found->second.erase(o);
    if (found->second.empty()) in.terms.erase(found);
  }

  // Exchanges one object. Either may be null; both have the same key. `before` stays alive in the
  // caller's hands: nothing is freed under a lock.
  void exchange(const object_ptr& before, const object_ptr& after, const index_set& by) {
    auto& in = shard((after ? after : before)->meta().key);
    {
      const std::lock_guard lock(lock_of(in));
      if (before && after) {
        replace(*in.objects.find(after), after);
      } else if (after) {
        in.objects.insert(after);
      } else {
        in.objects.erase(before);
      }
    }
    const auto new_terms = after ? terms_of(*after, by) : std::vector<std::string>();
    if (before) {
      for (const auto& term : terms_of(*before, by)) {
        const bool stays = std::find(new_terms.begin(), new_terms.end(), term) != new_terms.end();
        if (!stays) remove_term(term, before);
      }
    }
    for (const auto& term : new_terms)
      add_term(term, after);
  }

  void index_all(const index_set& by) {
    if (by.labels.empty() && by.pointers.empty() && !by.namespaces) return;
    std::vector<std::string> terms;
    for (const auto& in : shards) {
      for (const auto& o : in.objects) {
        terms.clear();
        add_terms(*o, by, terms);
        for (const auto& term : terms)
          add_term(term, o);
      }
    }
  }

  std::vector<object_ptr> with_term(const std::string& term) {
    auto& in = index(term);
    const std::lock_guard lock(lock_of(in));
    const auto found = in.terms.find(term);
    if (found == in.terms.end()) return {};
    return {found->second.begin(), found->second.end()};
  }

  // All locks at once, so that no reader sees half of it; each is held for a few pointer swaps.
  void swap(contents& other) {
    for (auto& one : object_locks)
      one.lock();
    for (auto& one : index_locks)
      one.lock();
    for (std::size_t n = 0; n < shard_count; ++n) {
      shards[n].objects.swap(other.shards[n].objects);
      indexes[n].terms.swap(other.indexes[n].terms);
    }
    for (auto& one : index_locks)
      one.unlock();
    for (auto& one : object_locks)
      one.unlock();
  }
};

store::store() : contents_(std::make_unique<contents>()) {}
store::~store() = default;

object_ptr store::get(const object_key& key) const {
  auto& in = contents_->shard(key);
  const std::lock_guard lock(contents_->lock_of(in));
  const auto found = in.objects.find(key);
  return found == in.objects.end() ? nullptr : *found;
}

std::vector<object_ptr> store::list(std::string_view ns) const {
  if (!ns.empty() && namespaces_indexed_) return contents_->with_term(namespace_term(ns));
  std::vector<object_ptr> out;
  for (auto& in : contents_->shards) {
    const std::lock_guard lock(contents_->lock_of(in));
    for (const auto& o : in.objects) {
      if (ns.empty() || o->meta().key.ns == ns) out.push_back(o);
    }
  }
  std::sort(out.begin(), out.end(), by_key{});
  return out;
}

std::vector<object_ptr> store::owned_by(std::string_view owner_uid) const {
  return contents_->with_term(owner_term(owner_uid));
}

std::vector<object_ptr> store::labelled(std::string_view ns, std::string_view label,
                                        std::string_view value) const {
  return contents_->with_term(value_term('l', ns, label, value));
}

std::vector<object_ptr> store::with_value(std::string_view ns, std::string_view pointer,
                                          std::string_view value) const {
  return contents_->with_term(value_term('p', ns, pointer, value));
}

void store::add_indexes(const index_set& more) {
  const index_set fresh = difference(more, indexes_);
  contents_->index_all(fresh);
  indexes_.labels.insert(indexes_.labels.end(), fresh.labels.begin(), fresh.labels.end());
  indexes_.pointers.insert(indexes_.pointers.end(), fresh.pointers.begin(), fresh.pointers.end());
  indexes_.namespaces = indexes_.namespaces || fresh.namespaces;
  namespaces_indexed_ = indexes_.namespaces;
}

void store::count(const object_ptr& gone, const object_ptr& come) {
  // Unsigned wrap-around makes the sum right whatever the order.
  count_ += static_cast<std::size_t>(come != nullptr) - static_cast<std::size_t>(gone != nullptr);
  bytes_ += (come ? come->bytes() : 0) - (gone ? gone->bytes() : 0);
  ++sequence_;
}

store::outcome store::apply(const object_ptr& next) {
  const object_ptr before = contents_->peek(next->meta().key);
  if (before && is_same(before, next)) return {verdict::duplicate, {}};
  const bool older = before && is_older(next, before);
  if (older && !OARLOCK_MUTANT("older_version_taken")) return {verdict::older, {}};
  contents_->exchange(before, next, indexes_);
  count(before, next);
  return {verdict::changed, changes_between(before, next)};
}

store::outcome store::remove(const object_ptr& last) {
  const object_ptr before = contents_->peek(last->meta().key);
  if (!before) return {verdict::duplicate, {}};
  if (is_older(last, before)) return {verdict::older, {}};
  contents_->exchange(before, nullptr, indexes_);
  count(before, nullptr);
  return {verdict::changed, changes_between(before, nullptr)};
}

std::unique_ptr<store::staging> store::begin_staging() const {
  return std::unique_ptr<staging>(new staging(*this));
}

store::staging::staging(const store& target)
    : target_(target), indexes_(target.indexes_), contents_(std::make_unique<contents>()) {}
store::staging::~staging() = default;

void store::staging::put(object_ptr next, bool keep_newer) {
  const object_key key = next->meta().key;  // a copy: `next` may become another object below
  const object_ptr have = target_.contents_->peek(key);
  const bool same_uid = have && have->meta().uid == next->meta().uid;
  const bool older = same_uid && keep_newer && is_older(next, have);
  if (older) ++older_;
  const bool same =
      have && is_same(have, next) &&
      (keep_newer || OARLOCK_MUTANT("same_version_is_same_bytes") || have->json() == next->json());
  if (older || same) next = have;
  const object_ptr staged = contents_->peek(key);
  contents_->exchange(staged, next, indexes_);
  count_ += staged ? 0 : 1;
  bytes_ += next->bytes() - (staged ? staged->bytes() : 0);
}

void store::staging::erase(const object_key& key) {
  const object_ptr staged = contents_->peek(key);
  if (!staged) return;
  contents_->exchange(staged, nullptr, indexes_);
  --count_;
  bytes_ -= staged->bytes();
}

void store::staging::drop(std::size_t shard) {
  contents_->shards[shard].objects.clear();
  contents_->indexes[shard].terms.clear();
}

void store::diff(const staging& next, std::size_t shard, std::vector<change>& changes) const {
  const auto& old_objects = contents_->shards[shard].objects;
  const auto& new_objects = next.contents_->shards[shard].objects;
  for (const auto& o : old_objects) {
    if (OARLOCK_MUTANT("tombstone_lost")) break;
    if (!new_objects.contains(o)) changes.push_back({o, nullptr, true});
  }
  for (const auto& o : new_objects) {
    const auto found = old_objects.find(o);
    const object_ptr before = found == old_objects.end() ? nullptr : *found;
    if (before != o) add_changes(before, o, true, changes);
  }
}

void store::commit(staging& next) {
  if (!OARLOCK_MUTANT("late_index_misses_the_list")) {
    next.contents_->index_all(difference(indexes_, next.indexes_));
  }
  contents_->swap(*next.contents_);
  count_ = next.count_;
  bytes_ = next.bytes_;
  ++sequence_;
}

}  // namespace oarlock::cache
