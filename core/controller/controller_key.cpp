// The work on one key: from the cached object to the settled outcome.
#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/cache/object_decoder.hpp"
#include "core/controller/controller_state.hpp"
#include "core/controller/errors.hpp"
#include "core/controller/finalizer.hpp"
#include "core/controller/live_read.hpp"
#include "core/election/errors.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::controller {

namespace {

using namespace std::chrono_literals;

// When a key that waits for the cache is looked at again if no event does it sooner: for an object
// to be gone, and for a version, which the cache's position tells.
constexpr duration stale_recheck = 500ms;
constexpr duration stale_recheck_at_position = 30s;
// When a key that wrote children is looked at again if no event of theirs does it sooner.
constexpr duration unseen_child_recheck = 5s;
// When a key whose writes were held back is tried again, should this process go on leading.
constexpr duration abandoned_recheck = 1s;
// A server that asks for a longer pause before the next attempt is not believed.
constexpr duration retry_after_max = 2min;

// The write was held back: this process does not lead any more, or is stopping.
bool is_cancelled(const error& e) {
  return e.code == kube::kube_error::cancelled || e.code == election::election_error::not_leading;
}

// Runs on the lane. Nothing may be thrown there: not by the plugin, whose bridge catches, and not
// by the core; what is, costs this key a retry and nobody else anything.
work plan_and_compare(reconciler* decide, plan_input* input, const child_lookup* children,
                      key_reads::parts for_reads) {
  std::string what;
  try {
    key_reads reads(for_reads, for_reads.clock_source->now() + observe_limit);
    input->reads = &reads;
    return make_work(*decide, *input, *children);
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
    what = "something that is not a std::exception";
  }
  work broken;
  broken.refused = error{controller_error::panicked, "an exception left the core: " + what};
  return broken;
}

// Runs on the lane, perhaps long after it was asked for: leadership and time are looked at here.
effect_output act(reconciler* decide, effect_input* input, key_reads::parts for_reads,
                  steady_time deadline) {
  const log_scope said(input->log);
  std::string what;
  try {
    if (input->gate != nullptr && !OARLOCK_MUTANT("effect_outside_of_the_write_window")) {
      const auto open = input->gate->check();
      if (!open) return effect_output{plan_verdict::retry, {}, {}, open.error()};
    }
    input->time_left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - for_reads.clock_source->now());
    if (input->time_left <= 0ms) {
      return effect_output{plan_verdict::retry, "EffectTimeout",
                           "no worker was free in time: not started"};
    }
    key_reads reads(for_reads, deadline);
    input->reads = &reads;
    return decide->effect(*input);
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
    what = "something that is not a std::exception";
  }
  return effect_output{plan_verdict::retry, "ReconcilePanicked",
                       "an exception left the core: " + what};
}

const char* result_of(const effect_output& done) {
  if (done.not_started) return "not_started";
  if (done.verdict == plan_verdict::done) return "success";
  return done.verdict == plan_verdict::terminal ? "terminal" : "error";
}

}  // namespace

void controller::state::forget(const cache::object_key& key) {
  queue.forget(key);
  writes.forget(key);
  last_failures.erase(key);
  verify_live.erase(key);
  lost_status.erase(key);
  unproven.erase(key);
  converged.erase(key);
  put_off.erase(key);
  of_pods.forget(key);
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
  const bool doubtful = (rewinds > 0 && !converged.contains(key)) || verify_live.contains(key);
  if (doubtful && !OARLOCK_MUTANT("unknown_outcome_not_read")) return live_check::everything;
  const bool existing = unproven.contains(key) && !OARLOCK_MUTANT("first_list_believed");
  return existing ? live_check::existing : live_check::none;
}

step_runner::parts controller::state::runner_parts(const key_run_ptr& run, std::stop_token stop) {
  return {
      parts_.loop,     parts_.client,
      parts_.events,   &writes,
      &spec,           children(),
      &primaries(),    run->log,
      std::move(stop), [this, run](effect_input input) { return perform(run, std::move(input)); }};
}

task<effect_output> controller::state::perform(key_run_ptr run, effect_input input) {
  input.gate = parts_.gate;
  input.log = run->log;
  const auto begin = now();
  const auto deadline =
      std::min<steady_time>(run->began + spec.reconcile_timeout, begin + effect_limit);
  run->in_plugin = "effect " + input.what.name;
  auto done = co_await call_on(parts_.lane, [&] {
    const call_place::scope here(run->place);
    return act(parts_.plan, &input, reads_for(run, input.primary), deadline);
  });
  run->in_plugin.clear();
  metrics.effect_ended(result_of(done), now() - begin);
  if (done.reason == threw_reason) metrics.panics.add();
  co_return done;
}

std::string controller::state::words_of_timeout() const {
  return "expected a reconcile to end within " + std::to_string(spec.reconcile_timeout.count()) +
         " s";
}

key_reads::parts controller::state::reads_for(const key_run_ptr& run, cache::object_ptr primary) {
  return {parts_.loop,        parts_.client, parts_.timer_source, parts_.clock_source, &spec,
          std::move(primary), run->log};
}

task<work> controller::state::make_in_time(key_run_ptr run, plan_input* input,
                                           const child_lookup* lookup) {
  run->in_plugin = "plan";
  auto made = co_await call_on(parts_.lane, [&] {
    const call_place::scope here(run->place);
    return plan_and_compare(parts_.plan, input, lookup, reads_for(run, input->primary));
  });
  run->in_plugin.clear();
  const bool threw =
      (made.refused && made.refused->code == controller_error::panicked) ||
      (made.plan.verdict == plan_verdict::terminal && made.plan.fail_reason == threw_reason);
  if (threw) metrics.panics.add();
  co_return made;
}

// Asks the lane where it is in what the plugin is at, if that is code of this process.
task<> controller::state::find_place(key_run_ptr run) {
  const auto code = parts_.plan->code();
  if (code.end == 0 || !run->place.ask()) co_return;
  // It answers once it runs; on a machine under load that may take a moment.
  for (int i = 0; i < 100 && run->place.stack().empty() && !run->in_plugin.empty(); ++i)
    (void)co_await parts_.timer_source->sleep_for(20ms, {});
  run->where = places_in(code, run->place.stack());
}

// Says on the object that its plan or effect hangs, while it does.
task<> controller::state::report_hung(key_run_ptr run) {
  const auto primary = primaries().get(run->key);
  if (!primary || !leading) co_return;
  step_runner runner(runner_parts(run, {}), primary);
  plan_output none;
  none.verdict = plan_verdict::retry;
  attempt outcome;
  const auto step = run->in_plugin;
  const auto slot = step.substr(0, step.find(' '));
  outcome.failure =
      step_failure{step, "ReconcileTimeout",
                   words_of_timeout() + ", found " + slot + "() still running" + run->where};
  (void)co_await tell(&runner, &none, run, std::move(outcome));
}

// A status whose reply was lost: what the server has now is an own write as far as the cache goes,
// which is older as likely as not. True when the key may go on.
task<bool> controller::state::find_lost_status(key_run_ptr run) {
  const auto key = run->key;
  auto body = co_await parts_.client->get(spec.primary, key.ns, key.name, run->steps.get_token());
  if (!body && body.error().code != kube::kube_error::not_found) {
    if (leading) queue.add_at(key, now() + queue.next_backoff(key, now()), now());
    co_return false;
  }
  lost_status.erase(key);
  const auto failure = last_failures.find(key);
  if (failure != last_failures.end() && failure->second.step == "status") {
    last_failures.erase(failure);  // its outcome is known now: nothing to tell
  }
  if (!body) co_return true;
  const auto live = cache::object_decoder(spec.primary).decode(std::move(*body));
  if (live) writes.expect_version(key, primaries(), (*live)->meta().resource_version);
  co_return true;
}

task<> controller::state::reconcile(key_run_ptr run) {
  const auto key = run->key;
  const bool lost = lost_status.contains(key) && !OARLOCK_MUTANT("lost_status_forgotten");
  if (lost && !co_await find_lost_status(run)) co_return;
  auto primary = primaries().get(key);
  if (!primary || (primary->meta().deleting && !has_finalizer(spec, *primary))) {
    forget(key);
    co_return;
  }
  note_rewinds();
  const auto began_in = rewinds;
  put_off.erase(key);
  if (!writes.seen(key)) {
    put_off.insert(key);
    metrics.stale_skips.add();
    const bool told = writes.wait(key) && !OARLOCK_MUTANT("position_wakes_nobody");
    queue.add_at(key, now() + (told ? stale_recheck_at_position : stale_recheck), now());
    co_return;
  }
  if (is_paused(*primary) && !OARLOCK_MUTANT("pause_ignored")) {
    co_await keep_paused(run, primary);
    co_return;
  }
  const auto begin = now();
  step_runner runner(runner_parts(run, run->steps.get_token()), primary);
  if (std::exchange(first_reconcile, false)) {
    const log_scope said(runner.log());
    log_info("first reconcile");
  }
  attempt outcome;
  run->generation = primary->meta().generation;
  const bool held = co_await hold(&runner, &primary, &outcome);
  run->generation = primary->meta().generation;
  if (!held) {
    if (!outcome.failure && !outcome.abandoned) co_return;
    plan_output none;
    none.verdict = plan_verdict::retry;
    if (outcome.failure) outcome = co_await tell(&runner, &none, run, std::move(outcome));
    if (leading) settle(key, none, outcome, runner.log());
    co_return;
  }
  auto input = gather(key, primary);
  input.log = runner.log();
  const auto lookup = children();
  auto made = co_await make_in_time(run, &input, &lookup);
  const auto plan = made.plan;
  for (const auto& e : plan.events)
    runner.event(e.warning, e.reason, "Reconcile", e.message);
  outcome = co_await carry_out(&runner, std::move(made), &plan, run);
  note_rewinds();
  if (rewinds == began_in && !outcome.failure && !outcome.abandoned) {
    unproven.erase(key);
    if (rewinds > 0) converged.insert(key);
  }
  if (leading) settle(key, plan, outcome, runner.log());
  metrics.reconcile_seconds.observe(seconds(now() - begin));
}

attempt controller::state::failed_at(failed_step failed) {
  const auto& why = failed.why;
  attempt outcome;
  outcome.abandoned = is_cancelled(why);
  if (outcome.abandoned) return outcome;
  auto reason = failed.reason.empty() ? reason_of(why) : std::move(failed.reason);
  outcome.failure = step_failure{std::move(failed.step), std::move(reason), why.message};
  outcome.failure_needs_a_person = needs_a_person(why);
  outcome.terminal = why.code == controller_error::effect_refused;
  outcome.retry_after = why.retry_after;
  return outcome;
}

// True when the object may be planned for: it carries the finalizer if there is to be one. The
// object that is deleted under a finalizer which nobody declares any more is let go.
task<bool> controller::state::hold(step_runner* runner, cache::object_ptr* primary,
                                   attempt* outcome) {
  const bool deleting = (*primary)->meta().deleting;
  if (deleting && !spec.finalizer) {
    *outcome = co_await let_go(runner);
    co_return false;
  }
  if (deleting || !spec.finalizer || has_finalizer(spec, **primary)) co_return true;
  if (OARLOCK_MUTANT("plan_without_finalizer")) co_return true;
  const auto fresh = co_await runner->add_finalizer();
  if (!fresh) {
    const bool gone = fresh.error().code == kube::kube_error::not_found;
    if (!gone) *outcome = failed_at({"add finalizer", fresh.error()});
    co_return false;
  }
  *primary = *fresh;
  co_return !(*fresh)->meta().deleting || OARLOCK_MUTANT("deletion_not_rechecked");
}

task<attempt> controller::state::let_go(step_runner* runner) {
  const auto released = co_await runner->remove_finalizer();
  if (!released) co_return failed_at({"remove finalizer", released.error()});
  co_return attempt{};
}

task<> controller::state::keep_paused(key_run_ptr run, cache::object_ptr primary) {
  const auto key = run->key;
  queue.forget(key);
  last_failures.erase(key);
  const auto body = render_paused(spec, *primary, parts_.clock_source->wall_now());
  if (!body || !*body) co_return;
  step_runner runner(runner_parts(run, {}), primary);
  const auto written = co_await runner.write_status(**body);
  if (written) {
    runner.event(false, "Paused", "Reconcile",
                 "annotation " + std::string(paused_annotation) + " is set");
  } else if (leading) {
    queue.add_at(key, now() + queue.next_backoff(key, now()), now());
  }
}

task<attempt> controller::state::carry_out(step_runner* runner, work w, const plan_output* plan,
                                           key_run_ptr run) {
  const auto key = run->key;
  attempt outcome;
  if (run->late) {
    // Its answer is about a time long ago, and that it is late is said: only how it failed is new.
    outcome.failure = step_failure{"plan", "ReconcileTimeout", words_of_timeout()};
    outcome.terminal = plan->verdict == plan_verdict::terminal;
    if (plan->verdict != plan_verdict::done) {
      runner->event(true, plan->fail_reason, "Reconcile", "plan: " + plan->fail_message);
    }
    co_return outcome;
  }
  if (plan->verdict != plan_verdict::done) {
    outcome.failure = step_failure{"plan", plan->fail_reason, plan->fail_message};
    outcome.terminal = plan->verdict == plan_verdict::terminal;
    outcome.failure_needs_a_person = outcome.terminal;
  } else if (w.refused) {
    outcome.failure = step_failure{"plan", reason_of(*w.refused), w.refused->message};
    outcome.failure_needs_a_person = w.refused->code != controller_error::panicked;
  } else {
    note_rewinds();
    auto failed = co_await runner->run(std::move(w), check_of(key));
    if (failed && run->late) {
      // A write may have been on its way.
      verify_live.insert(key);
      if (!failed->reason.empty()) {  // an effect's own
        runner->event(true, failed->reason, "Reconcile", failed->step + ": " + failed->why.message);
      }
      outcome.failure = step_failure{failed->step, "ReconcileTimeout", words_of_timeout()};
      co_return co_await tell(runner, plan, run, std::move(outcome));
    }
    if (failed) {
      outcome = failed_at(*failed);
      if (outcome.abandoned) co_return outcome;
      if (failed->why.code == kube::kube_error::unknown_outcome) verify_live.insert(key);
    } else {
      verify_live.erase(key);
    }
  }
  if (plan->finished && (!outcome.failure || OARLOCK_MUTANT("finalizer_removed_before_steps"))) {
    auto released = co_await let_go(runner);
    if (!released.failure) co_return released;
    outcome = std::move(released);
  }
  co_return co_await tell(runner, plan, run, std::move(outcome));
}

// Says in events and in the status how it went.
task<attempt> controller::state::tell(step_runner* runner, const plan_output* plan, key_run_ptr run,
                                      attempt outcome) {
  if (outcome.failure) {
    runner->event(true, outcome.failure->reason, "Reconcile",
                  outcome.failure->step + ": " + outcome.failure->message);
  }
  auto primary = primaries().get(run->key);
  if (!primary) co_return outcome;
  // The cache may not have seen what a step wrote to it.
  if (const auto& ours = runner->primary(); ours->meta().uid == primary->meta().uid) {
    const auto order =
        cache::compare_versions(ours->meta().resource_version, primary->meta().resource_version);
    if (order && *order > 0) primary = ours;
  }
  terms.learn(*plan, outcome);
  const auto generation =
      OARLOCK_MUTANT("generation_nobody_planned") ? primary->meta().generation : run->generation;
  auto body =
      render_status(spec, *primary, generation, *plan, outcome, parts_.clock_source->wall_now());
  if (body && body->has_value()) {
    const auto written = co_await runner->write_status(std::move(**body));
    if (written) co_return outcome;
    if (written.error().code == kube::kube_error::unknown_outcome) lost_status.insert(run->key);
    auto untold = failed_at({"status", written.error()});
    if (outcome.failure && !untold.abandoned) co_return outcome;
    outcome = std::move(untold);
  } else if (!body) {
    outcome = failed_at({"status", body.error()});
  } else {
    co_return outcome;
  }
  // Where the status cannot say it, an event does.
  if (outcome.failure_needs_a_person) {
    runner->event(true, outcome.failure->reason, "Reconcile",
                  "status: " + outcome.failure->message);
  }
  co_return outcome;
}

void controller::state::settle(const cache::object_key& key, const plan_output& plan,
                               const attempt& outcome, const log_context_ptr& log) {
  const log_scope said(log);
  if (outcome.abandoned) {
    queue.add_at(key, now() + abandoned_recheck, now());
    return;
  }
  if (!outcome.failure) {
    last_failures.erase(key);
    queue.forget(key);
    if (plan.requeue_after) queue.add_at(key, now() + *plan.requeue_after, now());
    // The child's event drops this. A child that came and went while the watch was down has none,
    // also if the watch has caught up since.
    if (writes.wrote_outside(key, primaries()) && !OARLOCK_MUTANT("unseen_child_forgotten")) {
      queue.add_at(key, now() + unseen_child_recheck, now());
    }
    (plan.requeue_after ? metrics.requeued : metrics.succeeded).add();
    log_debug("reconciled");
    return;
  }
  metrics.failed.add();
  metrics.errors.add();
  log_warn("reconcile failed", {{"step", outcome.failure->step},
                                {"reason", outcome.failure->reason},
                                {"error", outcome.failure->message}});
  last_failures[key] = *outcome.failure;
  if (outcome.terminal) {
    metrics.terminal_errors.add();
    return;
  }
  metrics.retries.add();
  duration wait = queue.next_backoff(key, now());
  if (outcome.retry_after) {
    wait = std::max(wait, std::min<duration>(*outcome.retry_after, retry_after_max));
  }
  queue.add_at(key, now() + wait, now());
}

}  // namespace oarlock::controller
