#pragma once
// The shared cache: one watch per (resource, scope) for all readers, reference-counted, owned by
// the cache and never by its first reader.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/random.hpp"
#include "core/base/timers.hpp"
#include "core/cache/change.hpp"
#include "core/cache/index_set.hpp"
#include "core/cache/object.hpp"
#include "core/cache/scope.hpp"
#include "core/cache/tenant.hpp"
#include "core/kube/client.hpp"

namespace oarlock::cache {

/// What a reader can do with one watched kind. Thread: any, unless it says otherwise.
class informer {
 public:
  virtual ~informer() = default;
  [[nodiscard]] virtual const scope& what() const = 0;
  /// Null when it is not there.
  [[nodiscard]] virtual object_ptr get(const object_key& key) const = 0;
  /// Sorted by key. An empty `ns` means all.
  [[nodiscard]] virtual std::vector<object_ptr> list(std::string_view ns = {}) const = 0;
  /// By the UID of any owner reference.
  [[nodiscard]] virtual std::vector<object_ptr> owned_by(std::string_view owner_uid) const = 0;
  /// By label value within a namespace, for label keys that were asked for in acquire().
  [[nodiscard]] virtual std::vector<object_ptr> labelled(std::string_view ns,
                                                         std::string_view label,
                                                         std::string_view value) const = 0;
  /// By the string at a JSON pointer within a namespace, for pointers that were asked for in
  /// acquire().
  [[nodiscard]] virtual std::vector<object_ptr> with_value(std::string_view ns,
                                                           std::string_view pointer,
                                                           std::string_view value) const = 0;
  /// The initial list is in the store.
  [[nodiscard]] virtual bool synced() const = 0;
  /// Why it is not getting events right now ("forbidden: ...", "not found: ..."); empty when live.
  [[nodiscard]] virtual std::string trouble() const = 0;
  /// The store has seen everything up to this version: from events, bookmarks and lists.
  [[nodiscard]] virtual std::string seen_version() const = 0;
  /// Grows when history was rewound (etcd restored from a backup): versions from before mean
  /// nothing any more. It grows before the changes of the new history are handed out.
  [[nodiscard]] virtual std::uint64_t epoch() const = 0;
  [[nodiscard]] virtual std::size_t object_count() const = 0;
  [[nodiscard]] virtual std::size_t object_bytes() const = 0;
};

/// A reader's share of an informer. The watch ends when the last share is gone. Destroy it on the
/// stream loop: no handler call comes after that.
class subscription {
 public:
  virtual ~subscription() = default;
  [[nodiscard]] virtual informer& view() const = 0;
  /// `then` is called on the stream loop each time seen_version() has moved, with the store at that
  /// version and the change that moved it still to be handed out. It must return soon.
  virtual void when_moved(std::function<void()> then) = 0;
};

/// Its parts outlive the end of stop(); subscriptions may outlive the cache.
class informer_cache {
 public:
  struct parts {
    executor loop;  ///< the stream loop: sockets, decoding, the single writer of the stores
    kube::client* client;
    const clock* clock_source;
    timers* timer_source;
    random_source* random;
    metric_registry* metrics;
    /// How often each store is compared with a list, jittered by a tenth; 0: never.
    duration self_check_period = std::chrono::minutes(10);
    /// Reads objects again when the CRD of their kind changes, which no event of theirs tells
    /// (docs/decisions/0014-when-a-schema-changes.md). One watch of the metadata of all CRDs, from
    /// the first kind on that may be one's; for that the right to list and watch them is needed.
    bool follow_schemas = false;
  };
  explicit informer_cache(parts p);
  ~informer_cache();
  informer_cache(const informer_cache&) = delete;
  informer_cache& operator=(const informer_cache&) = delete;

  /// Joins the watch on `what`, starting it when nobody had it. `handler` first gets the objects
  /// that are already there (initial = true), then every change. `lookups` is what the view will be
  /// asked for; it stays as long as the watch. A reader of metadata joins a watch of whole objects
  /// on the same scope; one that came before such a watch stays on its own. `whom` is charged for
  /// what it alone reads; null: nobody is. Thread: the stream loop.
  [[nodiscard]] std::unique_ptr<subscription> acquire(scope what, const index_set& lookups,
                                                      change_handler handler, tenant_ptr whom = {});
  /// Every informer there is: for metrics, readiness and the debug dump. Thread: the stream loop.
  [[nodiscard]] std::vector<const informer*> informers() const;
  /// The API server is known to answer again: nobody waits any longer. Thread: the stream loop.
  void wake();
  /// Ends every watch and waits for it. Thread: the stream loop.
  task<> stop();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::cache
