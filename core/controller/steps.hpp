#pragma once
// The writing half of a reconcile: carries out what reconcile.hpp found to be different, in order,
// each group only after the one before is known to have happened.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/task.hpp"
#include "core/controller/events.hpp"
#include "core/controller/own_writes.hpp"
#include "core/controller/reconcile.hpp"
#include "core/kube/client.hpp"

namespace oarlock::controller {

struct failed_step {
  std::string step;  ///< "apply Deployment default/web"
  error why;
};

/// What is read from the server before it is written.
enum class live_check {
  none,
  /// Missing children before they are created: an earlier write of this key has an unknown outcome,
  /// or another process may have written.
  creates,
  /// The primary and each child before it is updated or deleted: this process took the key over, at
  /// its start or as the new leader, and the key has not converged since. The first list may come
  /// from a server that lags. What differs from the cache is not written.
  existing,
  /// Both, and the primary before anything: history was rewound and this key has not converged
  /// since.
  everything,
};

/// Thread: the stream loop. Lives as long as its reconcile.
class step_runner {
 public:
  struct parts {
    executor loop;
    kube::client* client;
    event_recorder* events;
    own_writes* writes;
    const controller_spec* spec;
    child_lookup children;
  };
  step_runner(parts p, cache::object_ptr primary);

  /// Applies and deletes. Stops at the first group in which a step fails, and returns that failure.
  task<std::optional<failed_step>> run(work w, live_check check);
  /// Applies the status. `body` comes from render_status.
  task<result<>> write_status(std::string body, const cache::informer* primaries);
  /// Adds the finalizer in a write of its own. Returns the primary as it is after it, which may be
  /// deleted by now; the later steps are about that one. not_found: it is gone.
  task<result<cache::object_ptr>> add_finalizer(const cache::informer* primaries);
  /// Removes the finalizer. An object that is gone or replaced counts as done.
  task<result<>> remove_finalizer(const cache::informer* primaries);
  /// Records an event about the primary.
  void event(bool warning, std::string reason, std::string action, std::string note);

 private:
  task<std::optional<failed_step>> apply_one(child_write write, live_check check);
  task<result<>> create(child wanted, bool verify_live);
  task<result<>> update(child wanted);
  /// A live GET finds `cached` as the cache has it.
  task<result<>> confirm(kube::resource r, cache::object_ptr cached);
  task<result<>> refuse_stranger(child wanted);
  task<std::optional<failed_step>> delete_one(child_delete gone);
  void saw(const kube::resource& r, const std::string& answer);
  [[nodiscard]] const cache::informer* informer_of(const kube::resource& r) const;

  parts parts_;
  cache::object_ptr primary_;
};

}  // namespace oarlock::controller
