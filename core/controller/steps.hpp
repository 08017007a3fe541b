#pragma once
// The writing half of a reconcile: carries out what reconcile.hpp found to be different, in order,
// each group only after the one before is known to have happened.
#include <functional>
#include <optional>
#include <stop_token>
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
  std::string reason = {};  ///< what the plugin gave; empty: reason_of(why)
};

/// What is read from the server before it is written.
enum class live_check {
  none,
  /// The primary and each object before it is updated, patched or deleted: this process took the
  /// key over, at its start or as the new leader, and the key has not converged since. The first
  /// list may come from a server that lags. What differs from the cache is not written.
  existing,
  /// The same, the primary before anything, and missing children before they are created: an
  /// earlier write of this key has an unknown outcome, or history was rewound and this key has not
  /// converged since.
  everything,
};

/// The name of `wanted` belongs to somebody else.
[[nodiscard]] error stranger(const child& wanted);

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
    const cache::informer* primaries;
    log_context_ptr log = nullptr;  ///< what the records of this reconcile carry
    std::stop_token stop = {};      ///< the deadline: steps end, the status is still written
    std::function<task<effect_output>(effect_input)> perform = {};  ///< one effect, on the lane
  };
  step_runner(parts p, cache::object_ptr primary);
  step_runner(const step_runner&) = delete;
  step_runner& operator=(const step_runner&) = delete;

  /// Carries out the steps in order. Stops at the first that fails, and returns that failure.
  task<std::optional<failed_step>> run(work w, live_check check);
  /// Applies the status. `body` comes from render_status.
  task<result<>> write_status(std::string body);
  /// Adds the finalizer in a write of its own. Returns the primary as it is after it, which may be
  /// deleted by now; the later steps are about that one. not_found: it is gone.
  task<result<cache::object_ptr>> add_finalizer();
  /// Removes the finalizer. An object that is gone or replaced counts as done.
  task<result<>> remove_finalizer();
  /// Records an event about the primary.
  void event(bool warning, std::string reason, std::string action, std::string note);
  /// The primary as it was after the last write to it by a step.
  [[nodiscard]] const cache::object_ptr& primary() const { return primary_; }
  [[nodiscard]] const log_context_ptr& log() const { return parts_.log; }

 private:
  using failure = std::optional<failed_step>;
  task<failure> run_step(apply_work* set, live_check check);
  task<failure> run_step(create_work* step, live_check check);
  task<failure> run_step(patch_work* step, live_check check);
  task<failure> run_step(delete_work* step, live_check check);
  task<failure> run_step(status_work* step, live_check check);
  task<failure> run_step(effect_work* step, live_check check);
  task<failure> run_group(std::vector<child_write*> group, live_check check);

  task<std::optional<failed_step>> apply_one(child_write write, live_check check);
  /// For a child of a kind that is not cached: finds out what there is and decides.
  task<result<>> ask_and_write(child wanted, bool once);
  task<result<>> create_if_missing(child wanted, live_check check);
  /// The live object; null when there is none.
  task<result<cache::object_ptr>> read(kube::resource r, cache::object_key key);
  task<result<>> delete_live(delete_work step);
  task<result<>> create(child wanted, bool verify_live);
  task<result<>> update(child wanted);
  /// A live GET finds `cached` as the cache has it.
  task<result<>> confirm(kube::resource r, cache::object_ptr cached);
  /// Done when the server has nothing of that name. What there is belongs to somebody else
  /// (name_taken), or is ours and the cache has not seen it yet (changed_meanwhile).
  task<result<>> look_for(child wanted);
  task<std::optional<failed_step>> delete_one(child_delete gone, live_check check);
  task<result<>> remove(kube::resource r, cache::object_key key, kube::delete_options options);
  void saw(const kube::resource& r, const std::string& answer);
  void expect(const kube::resource& r, std::string version);
  [[nodiscard]] const cache::informer* informer_of(const kube::resource& r) const;

  parts parts_;
  kube::client
      client_;  // the same on the plugin's behalf, with this reconcile's context in its log
  cache::object_ptr primary_;
};

}  // namespace oarlock::controller
