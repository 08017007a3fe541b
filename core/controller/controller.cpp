#include "core/controller/controller.hpp"

#include <algorithm>
#include <set>

#include "core/base/guarded.hpp"
#include "core/base/log.hpp"
#include "core/controller/controller_metrics.hpp"
#include "core/controller/errors.hpp"
#include "core/controller/own_writes.hpp"
#include "core/controller/reconcile.hpp"
#include "core/controller/status.hpp"
#include "core/controller/steps.hpp"
#include "core/controller/work_queue.hpp"
#include "core/election/errors.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::controller {

namespace {

using namespace std::chrono_literals;

// How often a controller that leads looks whether its last watch has synced.
constexpr duration sync_poll = 5ms;
// When a key that waits for the cache is looked at again if no event does it sooner.
constexpr duration stale_recheck = 500ms;
// When a key whose writes were held back is tried again, should this process go on leading.
constexpr duration abandoned_recheck = 1s;
constexpr duration drain_poll = 10ms;

// A change of the primary that calls for a new plan. Its own status does not.
bool is_relevant(const cache::change& c) {
  if (!c.before || !c.after || c.initial) return true;
  const auto& before = c.before->meta();
  const auto& after = c.after->meta();
  return before.generation != after.generation || before.deleting != after.deleting ||
         before.labels != after.labels || before.annotations != after.annotations ||
         before.finalizers != after.finalizers;
}

// A start brings up every object; what somebody changed goes before that.
priority priority_of(const cache::change& c) {
  return c.initial && !c.before ? priority::low : priority::normal;
}

// The write was held back: this process does not lead any more, or is stopping.
bool is_cancelled(const error& e) {
  return e.code == kube::kube_error::cancelled || e.code == election::election_error::not_leading;
}

}  // namespace

struct controller::state : std::enable_shared_from_this<controller::state> {
  state(controller_spec s, parts p) : spec(std::move(s)), parts_(p), metrics(*p.metrics, spec) {}

  void join_watches();
  void watch_primary();
  void watch_owned(const kube::resource& r);
  void watch_other(const watch_spec& w);
  void report_cache_size();
  void enqueue(const cache::object_key& key, priority p);
  void report_depth();
  [[nodiscard]] bool synced() const;
  void pump();
  void arm(steady_time when);
  static task<> sleep_then_pump(std::shared_ptr<state> self, duration wait, std::stop_token stop);
  static task<> run_key(std::shared_ptr<state> self, work_queue::taken taken);
  task<> reconcile(cache::object_key key);
  task<> keep_paused(cache::object_key key, cache::object_ptr primary);
  task<attempt> carry_out(step_runner* runner, work w, const plan_output* plan,
                          cache::object_key key);
  void settle(const cache::object_key& key, const plan_output& plan, const attempt& outcome);
  plan_input gather(const cache::object_key& key, cache::object_ptr primary);
  [[nodiscard]] child_lookup children() const;
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
  std::map<cache::object_key, step_failure> last_failures;
  // Keys whose missing children are read live before they are created.
  std::set<cache::object_key> verify_live;
  // By subscription, as last seen; how often one grew; keys that converged since the last time.
  std::vector<std::uint64_t> epochs;
  std::uint64_t rewinds = 0;
  std::set<cache::object_key> converged;
  std::size_t active = 0;
  bool leading = false;
  bool draining = false;
  bool first_reconcile = true;
  std::optional<steady_time> armed;
  std::stop_source sleeper;
};

// --- watches -----------------------------------------------------------------------------------

void controller::state::join_watches() {
  watch_primary();
  for (const auto& owned : spec.owns)
    watch_owned(owned);
  for (const auto& other : spec.watches)
    watch_other(other);
  for (const auto& s : subscriptions)
    epochs.push_back(s->view().epoch());
  report_cache_size();
}

void controller::state::watch_primary() {
  const std::weak_ptr<state> weak = weak_from_this();
  subscriptions.push_back(
      parts_.cache->acquire({spec.primary, spec.ns, {}}, {}, [weak](const cache::change& c) {
        const auto self = weak.lock();
        if (!self) return;
        const auto& key = (c.after ? c.after : c.before)->meta().key;
        if (is_relevant(c) || self->writes.waits(key)) {
          self->enqueue(key, priority_of(c));
        }
      }));
}

void controller::state::watch_owned(const kube::resource& r) {
  const std::weak_ptr<state> weak = weak_from_this();
  const auto enqueue_owner = [weak](const cache::object_ptr& child, priority p) {
    const auto self = weak.lock();
    if (!self || !child) return;
    const auto* owner = child->meta().controller();
    if (owner == nullptr || owner->kind != self->spec.primary.kind ||
        owner->api_version != self->spec.primary.api_version()) {
      return;
    }
    const auto& ns = self->spec.primary.namespaced ? child->meta().key.ns : std::string();
    self->enqueue({ns, owner->name}, p);
  };
  subscriptions.push_back(
      parts_.cache->acquire({r, spec.ns, {}}, {}, [enqueue_owner](const cache::change& c) {
        enqueue_owner(c.before, priority_of(c));
        enqueue_owner(c.after, priority_of(c));
      }));
}

void controller::state::watch_other(const watch_spec& w) {
  const std::weak_ptr<state> weak = weak_from_this();
  const auto enqueue_named = [weak, label = w.map_by_label](const cache::object_ptr& other,
                                                            priority p) {
    const auto self = weak.lock();
    if (!self || !other) return;
    const auto found = other->meta().labels.find(label);
    if (found == other->meta().labels.end()) return;
    const cache::object_key key{other->meta().key.ns, found->second};
    if (self->primaries().get(key)) self->enqueue(key, p);
  };
  subscriptions.push_back(parts_.cache->acquire({w.resource, spec.ns, w.label_selector},
                                                {w.map_by_label},
                                                [enqueue_named](const cache::change& c) {
                                                  enqueue_named(c.before, priority_of(c));
                                                  enqueue_named(c.after, priority_of(c));
                                                }));
}

void controller::state::report_cache_size() {
  struct row {
    gauge* objects;
    gauge* bytes;
    std::size_t index;
  };
  std::vector<row> rows;
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    const metric_labels labels{{"plugin", spec.plugin},
                               {"controller", spec.name},
                               {"resource", subscriptions[i]->view().what().resource.name()}};
    rows.push_back(
        {&parts_.metrics->make_gauge("oarlock_plugin_cache_objects",
                                     "Objects in the shared cache that a plugin reads", labels),
         &parts_.metrics->make_gauge("oarlock_plugin_cache_bytes",
                                     "Bytes of the objects that a plugin reads", labels),
         i});
  }
  const std::weak_ptr<state> weak = weak_from_this();
  parts_.metrics->before_scrape([weak, rows] {
    const auto self = weak.lock();
    if (!self) return;
    self->watching.with([&](bool still) {
      if (!still) return;
      for (const auto& r : rows) {
        const auto& view = self->subscriptions[r.index]->view();
        r.objects->set(static_cast<double>(view.object_count()));
        r.bytes->set(static_cast<double>(view.object_bytes()));
      }
    });
  });
  watching.with([](bool& now_watching) { now_watching = true; });
}

bool controller::state::synced() const {
  return std::all_of(subscriptions.begin(), subscriptions.end(),
                     [](const auto& s) { return s->view().synced(); });
}

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
  while (active < spec.max_concurrent_reconciles) {
    auto taken = queue.take(now());
    if (!taken) break;
    ++active;
    spawn(parts_.loop, run_key(shared_from_this(), std::move(*taken)));
  }
  report_depth();
  if (const auto next = queue.next_delayed()) arm(*next);
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
  co_await self->reconcile(taken.key);
  self->metrics.work_seconds.observe(seconds(self->now() - begin));
  --self->active;
  self->metrics.active_workers.set(static_cast<double>(self->active));
  self->queue.done(taken.key, self->now());
  self->pump();
}

// --- one key -----------------------------------------------------------------------------------

void controller::state::forget(const cache::object_key& key) {
  queue.forget(key);
  writes.forget(key);
  last_failures.erase(key);
  verify_live.erase(key);
  converged.erase(key);
}

// Own writes of a history that was rewound may never be seen; and what the cache says is confirmed
// by live reads until a key has converged in the new one.
void controller::state::note_rewinds() {
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    const auto& view = subscriptions[i]->view();
    const auto now_in = view.epoch();
    if (std::exchange(epochs[i], now_in) == now_in) continue;
    ++rewinds;
    converged.clear();
    writes.forget_all_in(view);
  }
}

live_check controller::state::check_of(const cache::object_key& key) const {
  if (rewinds > 0 && !converged.contains(key)) return live_check::everything;
  return verify_live.contains(key) ? live_check::creates : live_check::none;
}

child_lookup controller::state::children() const {
  child_lookup found;
  for (std::size_t i = 0; i < spec.owns.size(); ++i) {
    found.emplace_back(spec.owns[i], &subscriptions[1 + i]->view());
  }
  return found;
}

plan_input controller::state::gather(const cache::object_key& key, cache::object_ptr primary) {
  plan_input input;
  input.spec = &spec;
  input.key = key;
  input.now = parts_.clock_source->wall_now();
  for (std::size_t i = 0; i < spec.owns.size(); ++i) {
    for (auto& child : subscriptions[1 + i]->view().owned_by(primary->meta().uid)) {
      if (child->meta().key.ns == key.ns) input.owned.push_back({&spec.owns[i], std::move(child)});
    }
  }
  for (std::size_t i = 0; i < spec.watches.size(); ++i) {
    const auto& watched = spec.watches[i];
    auto& view = subscriptions[1 + spec.owns.size() + i]->view();
    for (auto& other : view.labelled(key.ns, watched.map_by_label, key.name)) {
      input.watched.push_back({&watched.resource, std::move(other)});
    }
  }
  const auto failed = last_failures.find(key);
  if (failed != last_failures.end()) input.last_failure = failed->second;
  input.primary = std::move(primary);
  return input;
}

task<> controller::state::reconcile(cache::object_key key) {
  auto primary = primaries().get(key);
  if (!primary || primary->meta().deleting) {
    forget(key);
    co_return;
  }
  note_rewinds();
  const auto began_in = rewinds;
  if (!writes.seen(key)) {
    metrics.stale_skips.add();
    queue.add_at(key, now() + stale_recheck, now());
    co_return;
  }
  if (is_paused(*primary)) {
    co_await keep_paused(key, primary);
    co_return;
  }
  const auto begin = now();
  if (std::exchange(first_reconcile, false)) {
    log_info("first reconcile", {{"plugin", spec.plugin}, {"controller", spec.name}});
  }
  const auto input = gather(key, primary);
  const auto lookup = children();
  auto made = co_await run_on(
      parts_.lane,
      [](reconciler* decide, const plan_input* in, const child_lookup* l) -> task<work> {
        co_return make_work(*decide, *in, *l);
      }(parts_.plan, &input, &lookup));
  const auto plan = made.plan;
  step_runner runner({parts_.loop, parts_.client, parts_.events, &writes, &spec, lookup}, primary);
  for (const auto& e : plan.events)
    runner.event(e.warning, e.reason, "Reconcile", e.message);
  const auto outcome = co_await carry_out(&runner, std::move(made), &plan, key);
  note_rewinds();
  if (rewinds > 0 && rewinds == began_in && !outcome.failure && !outcome.abandoned) {
    converged.insert(key);
  }
  if (leading) settle(key, plan, outcome);
  metrics.reconcile_seconds.observe(seconds(now() - begin));
}

task<> controller::state::keep_paused(cache::object_key key, cache::object_ptr primary) {
  queue.forget(key);
  last_failures.erase(key);
  const auto body = render_paused(spec, *primary, parts_.clock_source->wall_now());
  if (!body || !*body) co_return;
  step_runner runner({parts_.loop, parts_.client, parts_.events, &writes, &spec, {}}, primary);
  const auto written = co_await runner.write_status(**body, &primaries());
  if (written) {
    runner.event(false, "Paused", "Reconcile",
                 "annotation " + std::string(paused_annotation) + " is set");
  } else if (leading) {
    queue.add_at(key, now() + queue.next_backoff(key, now()), now());
  }
}

task<attempt> controller::state::carry_out(step_runner* runner, work w, const plan_output* plan,
                                           cache::object_key key) {
  attempt outcome;
  if (plan->verdict != plan_verdict::done) {
    outcome.failure = step_failure{"plan", plan->fail_reason, plan->fail_message};
    outcome.failure_needs_a_person = plan->verdict == plan_verdict::terminal;
  } else if (w.refused) {
    outcome.failure = step_failure{"plan", reason_of(*w.refused), w.refused->message};
    outcome.failure_needs_a_person = true;
  } else {
    note_rewinds();
    auto failed = co_await runner->run(std::move(w), check_of(key));
    if (failed && is_cancelled(failed->why)) {
      outcome.abandoned = true;
      co_return outcome;
    }
    if (failed) {
      if (failed->why.code == kube::kube_error::unknown_outcome) verify_live.insert(key);
      outcome.failure = step_failure{failed->step, reason_of(failed->why), failed->why.message};
      outcome.failure_needs_a_person = needs_a_person(failed->why);
    } else {
      verify_live.erase(key);
    }
  }
  if (outcome.failure) {
    runner->event(true, outcome.failure->reason, "Reconcile",
                  outcome.failure->step + ": " + outcome.failure->message);
  }
  const auto primary = primaries().get(key);
  if (!primary) co_return outcome;
  auto body = render_status(spec, *primary, *plan, outcome, parts_.clock_source->wall_now());
  if (body && body->has_value()) {
    const auto written = co_await runner->write_status(std::move(**body), &primaries());
    outcome.abandoned = !written && is_cancelled(written.error());
    if (written || outcome.abandoned || outcome.failure) co_return outcome;
    outcome.failure = step_failure{"status", reason_of(written.error()), written.error().message};
  } else if (!body) {
    outcome.failure = step_failure{"status", reason_of(body.error()), body.error().message};
  }
  co_return outcome;
}

void controller::state::settle(const cache::object_key& key, const plan_output& plan,
                               const attempt& outcome) {
  if (outcome.abandoned) {
    queue.add_at(key, now() + abandoned_recheck, now());
    return;
  }
  if (!outcome.failure) {
    last_failures.erase(key);
    queue.forget(key);
    if (plan.requeue_after) queue.add_at(key, now() + *plan.requeue_after, now());
    (plan.requeue_after ? metrics.requeued : metrics.succeeded).add();
    return;
  }
  metrics.failed.add();
  metrics.errors.add();
  const bool terminal = plan.verdict == plan_verdict::terminal;
  log_warn("reconcile failed", {{"plugin", spec.plugin},
                                {"controller", spec.name},
                                {"object", key.text()},
                                {"step", outcome.failure->step},
                                {"reason", outcome.failure->reason},
                                {"error", outcome.failure->message}});
  last_failures[key] = *outcome.failure;
  if (terminal) {
    metrics.terminal_errors.add();
    return;
  }
  metrics.retries.add();
  queue.add_at(key, now() + queue.next_backoff(key, now()), now());
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
  state_->leading = true;
  for (const auto& primary : state_->primaries().list()) {
    state_->queue.add(primary->meta().key, state_->now(), priority::low);
  }
  state_->pump();
}

void controller::follow() {
  state_->leading = false;
  state_->sleeper.request_stop();
  state_->armed.reset();
  state_->queue.clear();
}

task<> controller::drain() {
  const auto self = state_;
  self->draining = true;
  self->sleeper.request_stop();
  while (self->active > 0)
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

std::string controller::trouble() const {
  for (const auto& s : state_->subscriptions) {
    auto reason = s->view().trouble();
    if (!reason.empty()) return s->view().what().resource.name() + ": " + reason;
  }
  return {};
}

}  // namespace oarlock::controller
