// A Plugin that moves from one runtime to another: the one that status.running.runtime names is the
// only one that runs it and the only one that writes its status. Each status is written onto the
// version that was read, so that a name which is not there any more is never acted upon.
#include <fmt/format.h>

#include "core/base/log.hpp"
#include "core/json/parse.hpp"
#include "core/package/controller_state.hpp"

namespace oarlock::package {

namespace {

using namespace std::chrono_literals;

constexpr duration release_retry = 500ms;
constexpr duration follower_rest = 5s;

error waits(package_error code, std::string message) {
  return {code, std::move(message)};
}

}  // namespace

object_runtimes runtimes_of(const cache::object& o) {
  const auto doc = json::parse(o.json());
  if (!doc) return {};
  return {std::string(json::string_at(*doc, "/spec/runtime")),
          std::string(json::string_at(*doc, "/status/running/runtime"))};
}

bool plugin_controller::state::is_writer(const tracked_plugin& t) const {
  const auto& named = t.want.status.running_runtime;
  return named == p.runtime || t.names == p.runtime ||
         (named.empty() && t.want.runtime == p.runtime);
}

// What a leader runs is named ours in the status before it runs.
task<bool> plugin_controller::state::take_on(self_ptr self, tracked_ptr t) {
  const auto named = t->want.status.running_runtime;
  const auto turn = t->turns.look(named, self->p.runtime, self->p.daemon.clock_source->now());
  t->names = named;
  t->is_leaving = false;
  if (turn == handover::turn::theirs) {
    if (self->leads && !std::exchange(t->has_said_it_waits, true)) {
      self->announce(*t, false, "WaitsForRuntime",
                     fmt::format("runtime {} is to end it first; {} begins then, or after {} s",
                                 named, self->p.runtime, handover_wait.count()));
    }
    if (!t->running) co_return true;
    co_return co_await end(self, t);  // it was taken over from us
  }
  if (turn != handover::turn::overdue) t->has_said_it_waits = false;
  if (turn == handover::turn::ours || !self->leads) co_return true;
  if (turn == handover::turn::overdue) {
    self->announce(*t, true, "RuntimeTakenOver",
                   fmt::format("runtime {} did not answer: expected it to end plugin {} within {} "
                               "s; runtime {} begins without it",
                               named, t->name, handover_wait.count(), self->p.runtime));
  }
  t->names = self->p.runtime;
  t->failure.reset();
  t->is_under_way = true;
  co_await report(self, t);
  t->is_under_way = false;
  const bool is_named = t->want.status.running_runtime == self->p.runtime;
  if (is_named) t->turns = {};
  co_return is_named;
}

// Asked at the last moment: it may have been moved since the step began.
result<> plugin_controller::state::may_run(const tracked_plugin& t) const {
  const auto object = plugins ? plugins->view().get({"", t.name}) : nullptr;
  if (!object || runtimes_of(*object).wanted != p.runtime) {
    return waits(package_error::waits_for_runtime, "it was moved to another runtime");
  }
  const auto& named = t.want.status.running_runtime;
  if (named == p.runtime) return {};
  if (t.turns.waits()) {
    return waits(package_error::waits_for_runtime,
                 fmt::format("runtime {} has not ended it yet", named));
  }
  return waits(package_error::waits_for_leader, "the leader of this runtime begins to run it");
}

// Ours ends it, and only then is its name taken out of the status.
task<duration> plugin_controller::state::hand_over(self_ptr self, tracked_ptr t) {
  t->names = t->want.status.running_runtime;
  t->is_leaving = true;
  t->failure.reset();
  if (t->running) co_await report(self, t);
  if (!co_await end(self, t)) co_return release_retry;
  t->is_over = t->names != self->p.runtime;
  if (t->is_over) co_return 0s;
  if (!self->leads) co_return follower_rest;
  t->names.clear();
  co_await report(self, t);
  t->is_over = t->want.status.running_runtime.empty();
  if (t->is_over) {
    log_info("plugin handed over", {{"plugin", t->name}, {"runtime", t->want.runtime}});
  }
  co_return release_retry;
}

// What is under way for it, a slow pull, may take minutes: what runs ends beside that.
task<> plugin_controller::state::leave(self_ptr self, tracked_ptr t) {
  t->has_left = co_await self->p.runner->end(t->name);
}

void plugin_controller::state::announce(const tracked_plugin& t, bool warning, std::string reason,
                                        const std::string& note) {
  log(warning ? log_level::warn : log_level::info, note, {{"plugin", t.name}});
  p.events->record({.plugin = "oarlock",
                    .regarding_resource = plugin_resource(),
                    .regarding = {"", t.name},
                    .regarding_uid = t.want.uid,
                    .warning = warning,
                    .reason = std::move(reason),
                    .action = "Move",
                    .note = note});
}

}  // namespace oarlock::package
