#pragma once
// What a controller is made of. Internal to this folder: controller.cpp has the queue and the life
// cycle, controller_watches.cpp what comes in, controller_key.cpp the work on one key.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <vector>

#include "core/base/call_place.hpp"
#include "core/base/guarded.hpp"
#include "core/controller/controller.hpp"
#include "core/controller/controller_metrics.hpp"
#include "core/controller/live_read.hpp"
#include "core/controller/notes.hpp"
#include "core/controller/own_writes.hpp"
#include "core/controller/reconcile.hpp"
#include "core/controller/status.hpp"
#include "core/controller/steps.hpp"
#include "core/controller/work_queue.hpp"

namespace oarlock::controller {

/// One reconcile under way.
struct key_run {
  cache::object_key key;
  log_context_ptr log;  ///< of all its records, also of those about its deadline
  steady_time began;
  std::int64_t generation = 0;  ///< of the primary that is planned for
  std::stop_source steps;       ///< stopped at the deadline
  std::stop_source over;        ///< stopped when it has ended
  std::string in_plugin;        ///< "plan", "effect promote": what the plugin is at; empty: nothing
  call_place place;             ///< where the lane is in that
  std::string where;            ///< " at libx.so+0x1139", of one that hangs; empty: not known
  bool late = false;
  bool reporting = false;
};
using key_run_ptr = std::shared_ptr<key_run>;

/// Thread: the stream loop, but for the refresh of gauges.
struct controller::state : std::enable_shared_from_this<controller::state>, cached_kinds {
  state(controller_spec s, parts p) : spec(std::move(s)), parts_(p), metrics(*p.metrics, spec) {}

  void join_watches();
  void watch_primary();
  void watch_owned(const kube::resource& r);
  void watch_other(const watch_spec& w);
  void report_cache_size();
  void enqueue(const cache::object_key& key, priority p);
  /// The primary changed in what calls for no plan: its status, for example.
  void note_other_change(const cache::object_key& key, const cache::change& c);
  [[nodiscard]] bool is_to_be_put_right(const cache::object_key& key, const cache::change& c) const;
  void note_position();
  void wake_put_off();
  void report_depth();
  [[nodiscard]] bool synced() const;
  void pump();
  [[nodiscard]] bool has_budget();
  void end_work();
  void arm(steady_time when);
  static task<> sleep_then_pump(std::shared_ptr<state> self, duration wait, std::stop_token stop);
  static task<> run_key(std::shared_ptr<state> self, work_queue::taken taken);
  static task<> keep_deadline(std::shared_ptr<state> self, key_run_ptr run);
  task<> reconcile(key_run_ptr run);
  task<work> make_in_time(key_run_ptr run, plan_input* input, const child_lookup* lookup);
  [[nodiscard]] key_reads::parts reads_for(const key_run_ptr& run, cache::object_ptr primary);
  task<effect_output> perform(key_run_ptr run, effect_input input);
  task<> find_place(key_run_ptr run);
  task<> report_hung(key_run_ptr run);
  [[nodiscard]] std::string words_of_timeout() const;
  [[nodiscard]] std::string hung_plans() const;
  task<bool> find_lost_status(key_run_ptr run);
  task<bool> hold(step_runner* runner, cache::object_ptr* primary, attempt* outcome);
  task<attempt> tell(step_runner* runner, const plan_output* plan, key_run_ptr run,
                     attempt outcome);
  task<attempt> let_go(step_runner* runner);
  [[nodiscard]] attempt failed_at(failed_step failed);
  [[nodiscard]] step_runner::parts runner_parts(const key_run_ptr& run, std::stop_token stop);
  [[nodiscard]] bool passes(const watch_spec& w, const cache::change& c) const;
  void add_owner(const cache::object_ptr& child, std::set<cache::object_key>& concerned) const;
  void add_mapped(const watch_spec& w, const cache::object_ptr& other,
                  std::set<cache::object_key>& concerned);
  void report_running();
  task<> keep_paused(key_run_ptr run, cache::object_ptr primary);
  task<attempt> carry_out(step_runner* runner, work w, const plan_output* plan, key_run_ptr run);
  void settle(const cache::object_key& key, const plan_output& plan, const attempt& outcome,
              const log_context_ptr& log);
  plan_input gather(const cache::object_key& key, cache::object_ptr primary);
  [[nodiscard]] child_lookup children() const;
  // Thread: a lane. While a plan runs the subscriptions stay as they are.
  [[nodiscard]] std::optional<std::vector<cache::object_ptr>> list_cached(
      std::string_view resource, std::string_view ns, std::string_view owner_uid) const override;
  void forget(const cache::object_key& key);
  void note_rewinds();
  [[nodiscard]] live_check check_of(const cache::object_key& key) const;
  [[nodiscard]] cache::informer& primaries() const { return subscriptions.front()->view(); }
  [[nodiscard]] steady_time now() const { return parts_.clock_source->now(); }

  const controller_spec spec;
  const parts parts_;
  controller_metrics metrics;
  // The primary first, then owned kinds, then watched ones, in the order of the spec.
  std::vector<std::unique_ptr<cache::subscription>> subscriptions;
  // Scrapes come from another thread: false before the watches are joined and after they are left.
  guarded<bool> watching{false};
  work_queue queue;
  own_writes writes;
  notes of_pods;
  // Keys that wait for the cache: the next change of their object brings them up, or the position
  // of the watch that they wait for.
  std::set<cache::object_key> put_off;
  bool looks_at_positions = false;
  // Changes that came while their key was worked on: whose they are shows when the answers are in.
  std::map<cache::object_key, cache::change> unclaimed;
  status_terms terms;
  std::map<cache::object_key, step_failure> last_failures;
  // Keys with a write of unknown outcome: what they write next is read from the server first.
  std::set<cache::object_key> verify_live;
  // Keys whose last status may or may not have been written.
  std::set<cache::object_key> lost_status;
  // Keys that were there at the start or when this process became the leader, until they converge.
  std::set<cache::object_key> unproven;
  // By subscription, as last seen; how often one grew; keys that converged since the last time.
  std::vector<std::uint64_t> epochs;
  std::uint64_t rewinds = 0;
  std::set<cache::object_key> converged;
  std::size_t active = 0;
  // Plans and effects past their deadline: they hold their key and a thread of the lane, but no
  // worker.
  std::map<cache::object_key, key_run_ptr> hung;
  // What is worked on since when; scrapes come from another thread.
  guarded<std::map<cache::object_key, steady_time>> running;
  bool leading = false;
  bool draining = false;
  bool waits_for_budget = false;
  bool first_reconcile = true;
  std::optional<steady_time> armed;
  std::stop_source sleeper;
};

}  // namespace oarlock::controller
