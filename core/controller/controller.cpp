#include "core/controller/controller.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/controller/controller_state.hpp"
#include "core/controller/reconcile_log.hpp"

namespace oarlock::controller {

namespace {

using namespace std::chrono_literals;

// How often a controller that leads looks whether its last watch has synced.
constexpr duration sync_poll = 5ms;
constexpr duration drain_poll = 10ms;

}  // namespace

// --- queue -------------------------------------------------------------------------------------

void controller::state::enqueue(const cache::object_key& key, priority p) {
  if (draining) return;
  if (queue.add(key, now(), p)) metrics.adds.add();
  pump();
}

void controller::state::pump() {
  if (!leading || draining) return;
  if (!synced()) {
    arm(now() + sync_poll);
    return;
  }
  const auto workers = spec.max_concurrent_reconciles;
  // Also when no worker is free: a delay that is over must not be waited for again and again.
  queue.promote(now());
  // Plans that hang gave their workers away but hold threads of the lane: not without end.
  while (active < workers && active + hung.size() < 2 * workers && queue.depth() > 0 &&
         has_budget()) {
    auto taken = queue.take(now());
    OARLOCK_ASSERT(taken, "a queue with depth has a key to take");
    ++active;
    spawn(parts_.loop, run_key(shared_from_this(), std::move(*taken)));
  }
  report_depth();
  if (const auto next = queue.next_delayed()) arm(*next);
}

// Takes a place of the plugin's; without one it is called back when there is.
bool controller::state::has_budget() {
  if (!parts_.budget || OARLOCK_MUTANT("reconcile_budget_ignored")) return true;
  if (waits_for_budget) return false;
  const std::weak_ptr<state> weak = weak_from_this();
  waits_for_budget = !parts_.budget->take([weak] {
    const auto self = weak.lock();
    if (!self) return;
    self->waits_for_budget = false;
    self->pump();
  });
  return !waits_for_budget;
}

void controller::state::end_work() {
  --active;
  metrics.active_workers.set(static_cast<double>(active));
  if (parts_.budget) parts_.budget->give_back();
}

void controller::state::report_depth() {
  metrics.depth.set(static_cast<double>(queue.depth(priority::normal)));
  metrics.low_depth.set(static_cast<double>(queue.depth(priority::low)));
}

void controller::state::arm(steady_time when) {
  if (armed && *armed <= when) return;
  sleeper.request_stop();
  sleeper = {};
  armed = when;
  const auto wait = std::max(when - now(), steady_time::duration::zero());
  spawn(parts_.loop, sleep_then_pump(shared_from_this(), wait, sleeper.get_token()));
}

task<> controller::state::sleep_then_pump(std::shared_ptr<state> self, duration wait,
                                          std::stop_token stop) {
  const bool slept = co_await self->parts_.timer_source->sleep_for(wait, stop);
  if (!slept) co_return;
  self->armed.reset();
  self->pump();
}

task<> controller::state::run_key(std::shared_ptr<state> self, work_queue::taken taken) {
  const auto begin = self->now();
  self->metrics.active_workers.set(static_cast<double>(self->active));
  self->metrics.queue_seconds.observe(seconds(begin - taken.added));
  const auto run = std::make_shared<key_run>();
  run->key = taken.key;
  run->log = std::make_shared<const reconcile_log>(self->spec, run->key, *self->parts_.random);
  run->began = begin;
  self->running.with([&](auto& keys) { keys.emplace(run->key, begin); });
  spawn(self->parts_.loop, keep_deadline(self, run));
  co_await self->reconcile(run);
  run->over.request_stop();
  // What it says about a plan that hung must not come after what is said next.
  while (run->reporting)
    (void)co_await self->parts_.timer_source->sleep_for(drain_poll, {});
  self->running.with([&](auto& keys) { keys.erase(run->key); });
  const auto other = self->unclaimed.extract(taken.key);
  if (other && self->is_to_be_put_right(taken.key, other.mapped())) {
    self->queue.add(taken.key, self->now());
  }
  self->metrics.work_seconds.observe(seconds(self->now() - begin));
  if (self->hung.erase(run->key) == 0) self->end_work();
  self->queue.done(taken.key, self->now());
  self->pump();
}

namespace {

void say_late(const key_run& run, const std::string& in) {
  const log_scope said(run.log);
  log_error("a reconcile is past its deadline", {{"in", in}});
}

}  // namespace

// The deadline of one reconcile. Steps are stopped; a plan or an effect cannot be: it keeps its key
// and its thread, and gives its worker to another key.
task<> controller::state::keep_deadline(std::shared_ptr<state> self, key_run_ptr run) {
  const bool elapsed = co_await self->parts_.timer_source->sleep_for(self->spec.reconcile_timeout,
                                                                     run->over.get_token());
  if (!elapsed) co_return;
  run->late = true;
  self->metrics.timeouts.add();
  const auto in = run->in_plugin;
  if (in.empty()) {
    say_late(*run, "steps");
    run->steps.request_stop();
    co_return;
  }
  run->steps.request_stop();
  run->reporting = true;
  self->hung.emplace(run->key, run);
  self->end_work();
  self->pump();
  co_await self->find_place(run);
  say_late(*run, in + run->where);
  if (run->in_plugin == in) co_await self->report_hung(run);
  run->reporting = false;
}

std::string controller::state::hung_plans() const {
  std::string all;
  for (const auto& [key, run] : hung) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(now() - run->began);
    all += (all.empty() ? "" : "; ") + spec.name + ": " + run->in_plugin + " of " + key.text() +
           " has not returned for " + std::to_string(age.count()) + " s" + run->where;
  }
  return all;
}

void controller::state::report_running() {
  const std::weak_ptr<state> weak = weak_from_this();
  parts_.metrics->before_scrape([weak] {
    const auto self = weak.lock();
    if (!self) return;
    const auto time = self->now();
    double all = 0;
    double longest = 0;
    self->running.with([&](const auto& keys) {
      for (const auto& [key, since] : keys) {
        all += seconds(time - since);
        longest = std::max(longest, seconds(time - since));
      }
    });
    self->metrics.unfinished_seconds.set(all);
    self->metrics.longest_seconds.set(longest);
  });
}

// --- the controller ----------------------------------------------------------------------------

controller::controller(controller_spec spec, parts p)
    : state_(std::make_shared<state>(std::move(spec), p)) {}

controller::~controller() {
  state_->draining = true;
  state_->sleeper.request_stop();
}

void controller::start() {
  state_->join_watches();
}

void controller::lead() {
  if (state_->draining) return;
  state_->leading = true;
  for (const auto& primary : state_->primaries().list()) {
    state_->unproven.insert(primary->meta().key);
    state_->queue.add(primary->meta().key, state_->now(), priority::low);
  }
  state_->pump();
}

void controller::enqueue(const cache::object_key& key) {
  if (state_->leading) state_->enqueue(key, priority::normal);
}

note_outcome controller::note(const cache::object_key& key, input_note what) {
  if (!state_->leading || state_->draining) return note_outcome::not_leading;
  const auto primary = state_->primaries().get(key);
  if (!primary) return note_outcome::no_object;
  if (!state_->of_pods.put(key, primary->meta().uid, std::move(what))) return note_outcome::no_room;
  state_->enqueue(key, priority::normal);
  return note_outcome::taken;
}

bool controller::knows(const cache::object_key& key) const {
  return !state_->draining && state_->primaries().get(key) != nullptr;
}

void controller::enqueue_all() {
  if (!state_->leading || state_->draining) return;
  for (const auto& primary : state_->primaries().list())
    state_->queue.add(primary->meta().key, state_->now(), priority::low);
  state_->pump();
}

void controller::follow() {
  state_->leading = false;
  state_->sleeper.request_stop();
  state_->armed.reset();
  state_->queue.clear();
  state_->of_pods.clear();  // who leads next is told anew
}

task<> controller::drain() {
  const auto self = state_;
  self->draining = true;
  self->sleeper.request_stop();
  while (self->active > 0 || !self->hung.empty())
    (void)co_await self->parts_.timer_source->sleep_for(drain_poll, {});
  self->leading = false;
  self->watching.with([](bool& still) { still = false; });
  self->subscriptions.clear();
}

const controller_spec& controller::spec() const {
  return state_->spec;
}

bool controller::synced() const {
  return state_->synced();
}

std::string controller::hung_plans() const {
  return state_->hung_plans();
}

std::string controller::trouble() const {
  for (const auto& s : state_->subscriptions) {
    auto reason = s->view().trouble();
    if (!reason.empty()) return s->view().what().resource.name() + ": " + reason;
  }
  return {};
}

bool controller::leading() const {
  return state_->leading && !state_->draining;
}

queue_snapshot controller::snapshot(std::size_t most) const {
  return state_->queue.snapshot(state_->now(), most);
}

}  // namespace oarlock::controller
