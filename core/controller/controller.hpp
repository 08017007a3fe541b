#pragma once
// One controller: its watches, its queue, its workers. See README.md for the life of a key.
#include <memory>
#include <stop_token>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/random.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/cache/informer_cache.hpp"
#include "core/controller/events.hpp"
#include "core/controller/reconcile_budget.hpp"
#include "core/controller/reconciler.hpp"
#include "core/controller/spec.hpp"
#include "core/controller/work_queue.hpp"
#include "core/kube/client.hpp"

namespace oarlock::controller {

/// What became of a note.
enum class note_outcome { taken, not_leading, no_object, no_room };

/// Thread: the stream loop, for every call.
class controller {
 public:
  struct parts {
    executor loop;  ///< the stream loop: queue and steps
    executor lane;  ///< the plugin's worker threads: plan, diff, serialise
    kube::client* client;
    cache::informer_cache* cache;
    event_recorder* events;
    reconciler* plan;
    const clock* clock_source;
    timers* timer_source;
    metric_registry* metrics;
    random_source* random;          ///< for the ids of reconciles
    cache::tenant_ptr tenant = {};  ///< of a plugin, charged for what it alone reads; may be null
    std::shared_ptr<reconcile_budget> budget = {};  ///< of all controllers of a plugin; may be null
    const kube::write_gate* gate = nullptr;         ///< of effects; null: there is no election
    /// How pods reach this daemon, which may become known late; null: they do not.
    const std::shared_ptr<const inbound_endpoint>* inbound = nullptr;
  };
  controller(controller_spec spec, parts p);
  ~controller();
  controller(const controller&) = delete;
  controller& operator=(const controller&) = delete;

  /// Joins the watches. Keys collect in the queue; nothing is reconciled yet.
  void start();
  /// Starts the workers: called when this process leads and each time it leads again. Every known
  /// primary is enqueued, because another leader may have left it half done.
  void lead();
  /// Stops taking keys at once; reconciles under way fail at the write gate. Caches stay warm.
  void follow();
  /// Something outside of Kubernetes happened to a primary. Nothing without the lease: whoever
  /// leads next brings it up.
  void enqueue(const cache::object_key& key);
  /// Whether there is such a primary.
  [[nodiscard]] bool knows(const cache::object_key& key) const;
  /// Keeps what a pod says for the plans of a primary, and enqueues it.
  [[nodiscard]] note_outcome note(const cache::object_key& key, input_note what);
  /// As lead() does with every known primary; nothing without the lease.
  void enqueue_all();
  /// Stops taking keys and waits until no reconcile is under way, then leaves the watches.
  task<> drain();

  [[nodiscard]] const controller_spec& spec() const;
  /// Every watch has its initial list.
  [[nodiscard]] bool synced() const;
  /// Why a watch is not live, for /readyz and logs; empty when all are.
  [[nodiscard]] std::string trouble() const;
  /// Whether it may take keys, and what its queue holds: at most `most` keys of each kind.
  [[nodiscard]] bool leading() const;
  [[nodiscard]] queue_snapshot snapshot(std::size_t most) const;
  /// Which plans are past their deadline and have not returned, for /readyz; empty: none.
  [[nodiscard]] std::string hung_plans() const;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::controller
