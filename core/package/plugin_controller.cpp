#include "core/package/plugin_controller.hpp"

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <algorithm>

#include "core/base/log.hpp"
#include "core/json/parse.hpp"
#include "core/package/controller_state.hpp"
#include "core/package/held_objects.hpp"

namespace oarlock::package {

namespace {

using namespace std::chrono_literals;

constexpr duration settled_period = 5s;
constexpr duration unwell_min = 50ms;
constexpr duration grant_min = 200ms;
constexpr duration failure_min = 2s;
constexpr duration failure_max = 5min;
constexpr duration write_retry = 500ms;
constexpr duration drain_poll = 10ms;

duration doubled(duration first, int times, duration most) {
  duration out = first;
  for (int i = 0; i < times && out < most; ++i)
    out *= 2;
  return std::min(out, most);
}

// How long until the same is tried again.
duration rest_after(const error& why, int failures) {
  if (why.code == package_error::awaiting_grant) {
    return doubled(grant_min, failures - 1, settled_period);
  }
  const auto rest = doubled(failure_min, failures - 1, failure_max);
  return why.retry_after
             ? std::max<duration>(rest, std::min<duration>(*why.retry_after, failure_max))
             : rest;
}

// For another runtime, or for the leader of this one.
bool is_waiting(const error& why) {
  return why.code == package_error::waits_for_runtime ||
         why.code == package_error::waits_for_leader;
}

bool has_finalizer(const plugin_object& o) {
  return std::find(o.finalizers.begin(), o.finalizers.end(), plugin_finalizer) !=
         o.finalizers.end();
}

// By digest itself, or as it was looked up before; empty: a tag that has to be looked up.
std::string known_digest(const tracked_plugin& t) {
  if (t.resolved_from == t.want.image) return t.resolved_image;
  return t.want.image.find('@') == std::string::npos ? std::string() : t.want.image;
}

std::vector<kube::resource> with_finalizers(const plugin::manifest& declared) {
  std::vector<kube::resource> out;
  for (const auto& c : declared.controllers) {
    if (c.finalizer) out.push_back(c.primary);
  }
  return out;
}

}  // namespace

bool revision::has_finalizers() const {
  return std::any_of(declared.controllers.begin(), declared.controllers.end(),
                     [](const auto& c) { return c.finalizer; });
}

std::string settings_of(const plugin_object& want) {
  auto out = std::string(want.in_core ? "core " : "child ") + want.config;
  for (const auto& quota : want.quotas)
    out += " " + quota;
  return out;
}

duration plugin_controller::state::rest_of(tracked_plugin& t, const error& why) const {
  const bool waits = leads && t.turns.waits();
  const auto left = t.turns.left(p.daemon.clock_source->now());
  if (is_waiting(why)) return waits ? left : leads ? write_retry : settled_period;
  const auto rest = rest_after(why, ++t.failures);
  return waits ? std::min(rest, left) : rest;
}

// A status that this process wrote calls for nothing; a leader's tells a follower what to load.
void plugin_controller::state::track(const cache::change& change) {
  const auto& seen = change.after ? change.after : change.before;
  const auto& name = seen->meta().key.name;
  const auto found = tracked.find(name);
  if (found != tracked.end()) {
    const auto& known = found->second;
    const bool same = change.before && change.after && leads && !known->turns.waits() &&
                      change.before->meta().generation == change.after->meta().generation &&
                      change.before->meta().deleting == change.after->meta().deleting;
    if (same) return;
    known->is_dirty = true;
    known->nap.request_stop();
    const bool moves = change.after && runtimes_of(*change.after).wanted != p.runtime;
    if (moves && known->is_at_work && !known->is_leaving && known->running) {
      spawn(p.loop, leave(shared_from_this(), known));
    }
    return;
  }
  if (!change.after) return;
  const auto of = runtimes_of(*change.after);
  if (of.wanted != p.runtime && of.named != p.runtime) return;
  auto t = std::make_shared<tracked_plugin>(name);
  tracked.emplace(name, t);
  spawn(p.loop, drive(shared_from_this(), std::move(t)));
}

void plugin_controller::state::wake_all() {
  for (const auto& [name, t] : tracked) {
    t->is_dirty = true;
    t->nap.request_stop();
  }
}

task<> plugin_controller::state::drive(self_ptr self, tracked_ptr t) {
  const auto stop = self->stopping.get_token();
  while (!t->is_over && !stop.stop_requested()) {
    t->nap = {};
    t->is_dirty = false;
    t->is_at_work = true;
    const auto rest = co_await step(self, t);
    t->is_at_work = false;
    if (stop.stop_requested()) co_return;
    co_await report(self, t);
    if (t->is_over || t->is_dirty || stop.stop_requested()) continue;
    const bool is_told =
        !self->leads || !self->is_writer(*t) || t->written == status_body(t->name, t->told);
    (void)co_await self->p.daemon.timer_source->sleep_for(
        is_told ? rest : std::min(rest, write_retry), t->nap.get_token());
  }
  if (stop.stop_requested()) co_return;
  self->tracked.erase(t->name);
  // It may have come again meanwhile.
  if (const auto again = self->plugins->view().get({"", t->name})) {
    if (runtimes_of(*again).wanted == self->p.runtime && !again->meta().deleting) {
      self->track({nullptr, again, false});
    }
  }
}

task<duration> plugin_controller::state::step(self_ptr self, tracked_ptr t) {
  const auto object = self->plugins->view().get({"", t->name});
  auto want = object ? parse_plugin(object->json()) : result<plugin_object>(plugin_object{});
  if (!want) {
    log_error("a Plugin cannot be read", {{"plugin", t->name}, {"error", want.error().message}});
    co_return failure_max;
  }
  if (std::exchange(t->has_left, false)) self->discard(t->running);
  if (!object) {
    t->is_over = co_await end(self, t);
    co_return write_retry;
  }
  t->want = std::move(*want);
  if (t->want.runtime != self->p.runtime) co_return co_await hand_over(self, t);
  if (!self->leads || std::exchange(t->takes_over, false) || t->resolved_from.empty()) {
    t->resolved_from = t->want.status.resolved_from;
    t->resolved_image = t->want.status.resolved_image;
  }
  const bool is_new = std::exchange(t->generation, t->want.generation) != t->want.generation;
  if (is_new) t->failures = 0;
  if (!co_await take_on(self, t)) co_return write_retry;
  if (t->want.deleting) co_return co_await depart(self, t);
  const auto done = co_await work(self, t, is_new);
  t->is_under_way = false;
  t->failure = done ? std::nullopt : std::optional<error>(done.error());
  if (!done) co_return self->rest_of(*t, done.error());
  t->failures = 0;
  t->missing.clear();
  const auto health = self->p.runner->look(t->name);
  t->looks = health.trouble.empty() ? 0 : t->looks + 1;
  co_return health.trouble.empty() ? settled_period : doubled(unwell_min, t->looks, settled_period);
}

// What is wanted runs, or what ran before while that has to wait.
task<result<>> plugin_controller::state::work(self_ptr self, tracked_ptr t, bool is_new) {
  const auto& before = t->want.status.running_image;
  const auto ref = known_digest(*t);
  if (!t->running && !before.empty() && before != ref && !t->went_back) {
    // What ran before a restart comes first: an upgrade may fail, or take long.
    const auto back = co_await bring(self, t, before);
    if (!back && is_waiting(back.error())) co_return back;
    t->went_back = true;
    if (!back) {
      log_warn("the last revision of a plugin could not be brought up",
               {{"plugin", t->name}, {"image", before}, {"error", back.error().message}});
    }
  }
  if (is_new && !t->want.paused && !is_running(*t, ref)) {
    // A slow registry may take minutes: people see that it has begun.
    t->failure.reset();
    t->is_under_way = true;
    co_await report(self, t);
  }
  if (t->want.paused) {
    co_return !t->running && !before.empty() ? co_await bring(self, t, before) : result<>();
  }
  if (ref.empty() && !self->leads) {
    co_return error{package_error::waits_for_leader,
                    "the leader finds out which image " + t->want.image + " is"};
  }
  co_return co_await bring(self, t, ref.empty() ? t->want.image : ref);
}

// The plugin works on while objects carry its finalizer: who else could let them go?
task<duration> plugin_controller::state::depart(self_ptr self, tracked_ptr t) {
  if (!self->leads) co_return settled_period;
  if (has_finalizer(t->want)) {
    const auto& before = t->want.status.running_image;
    if (!t->running && !before.empty()) {
      if (const auto back = co_await bring(self, t, before); !back) {
        t->failure = error{back.error().code,
                           fmt::format("expected to run {} until no object has its finalizer, "
                                       "found: {}; or take the finalizer {} off the Plugin",
                                       before, back.error().message, plugin_finalizer)};
        co_return self->rest_of(*t, back.error());
      }
    }
    if (t->running) {
      const auto held = co_await objects_held(&self->daemon, with_finalizers(t->running->declared),
                                              finalizer_of(t->name), self->p.scope_ns,
                                              self->stopping.get_token());
      if (!held || held->count > 0) {
        t->failure = error{
            package_error::finalizers_pending,
            held ? fmt::format("{} objects carry the finalizer {}, such as {}, and "
                               "only this plugin lets them go: delete them, or take "
                               "the finalizer {} off the Plugin to end it now",
                               held->count, finalizer_of(t->name), held->first, plugin_finalizer)
                 : held.error().message};
        co_return 1s;
      }
    }
    if (!co_await end(self, t)) co_return write_retry;
    if (const auto gone = co_await set_finalizer(self, t, false); !gone) {
      t->failure = gone.error();
      co_return 1s;
    }
  }
  t->is_over = co_await end(self, t);
  co_return write_retry;
}

task<bool> plugin_controller::state::end(self_ptr self, tracked_ptr t) {
  if (t->running) {
    if (!co_await self->p.runner->end(t->name)) co_return false;
    log_info("plugin of a Plugin object has ended", {{"plugin", t->name}});
  }
  self->discard(t->running);
  self->discard(t->next);
  self->settle_claims(*t);
  self->count(*t, {});
  co_return true;
}

task<result<>> plugin_controller::state::set_finalizer(self_ptr self, tracked_ptr t,
                                                       bool is_there) {
  if (has_finalizer(t->want) == is_there || !self->may_write()) co_return result<>();
  auto all = t->want.finalizers;
  std::erase(all, plugin_finalizer);
  if (is_there) all.emplace_back(plugin_finalizer);
  std::string list;
  for (const auto& one : all)
    list += (list.empty() ? "\"" : ",\"") + one + "\"";
  const auto body = fmt::format(R"({{"metadata":{{"resourceVersion":"{}","finalizers":[{}]}}}})",
                                t->want.resource_version, list);
  const under_way_mark write(self->writes);
  const auto done = co_await self->daemon.merge_patch(plugin_resource(), "", t->name, body);
  if (!done && done.error().code != kube::kube_error::not_found) co_return done.error();
  if (done) note_version(t->want, done->body);
  t->want.finalizers = std::move(all);
  co_return result<>();
}

plugin_controller::plugin_controller(parts p) : state_(std::make_shared<state>(std::move(p))) {}
plugin_controller::~plugin_controller() = default;

void plugin_controller::start() {
  cache::scope what;
  what.resource = plugin_resource();
  const std::weak_ptr<state> weak = state_;
  state_->plugins = state_->p.cache->acquire(what, {}, [weak](const cache::change& change) {
    // The subscription is not ours yet when the first objects come.
    if (const auto self = weak.lock()) {
      boost::asio::post(self->p.loop, [self, change] {
        if (self->plugins) self->track(change);
      });
    }
  });
}

void plugin_controller::lead() {
  state_->leads = true;
  for (const auto& [name, t] : state_->tracked) {
    // Not forgotten here: what is under way reports it.
    t->takes_over = true;
    t->written.clear();
  }
  state_->wake_all();
}

void plugin_controller::follow() {
  state_->leads = false;
}

void plugin_controller::stop() {
  state_->stopping.request_stop();
  state_->wake_all();
  state_->plugins.reset();
}

task<> plugin_controller::drain() {
  const auto self = state_;
  stop();
  while (self->writes > 0)
    (void)co_await self->p.daemon.timer_source->sleep_for(drain_poll, {});
}

std::string plugin_controller::trouble() const {
  return state_->plugins ? state_->plugins->view().trouble() : std::string();
}

}  // namespace oarlock::package
