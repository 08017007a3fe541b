#include "core/controller/controller.hpp"

#include <algorithm>

#include "core/controller/controller_state.hpp"

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
  const auto other = self->unclaimed.extract(taken.key);
  if (other && !self->writes.wrote(taken.key, self->primaries(), other.mapped())) {
    self->queue.add(taken.key, self->now());
  }
  self->metrics.work_seconds.observe(seconds(self->now() - begin));
  --self->active;
  self->metrics.active_workers.set(static_cast<double>(self->active));
  self->queue.done(taken.key, self->now());
  self->pump();
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
    state_->unproven.insert(primary->meta().key);
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

bool controller::leading() const {
  return state_->leading && !state_->draining;
}

queue_snapshot controller::snapshot(std::size_t most) const {
  return state_->queue.snapshot(state_->now(), most);
}

}  // namespace oarlock::controller
