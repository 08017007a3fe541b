#include "units.hpp"

#include <algorithm>
#include <chrono>

#include "report.hpp"

namespace ml {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t backoff_seconds_max = 600;
constexpr std::int64_t lost_after_ms = 60'000;

sdk::timestamp now_of(const unit_desk& desk) {
  return sdk::timestamp::of_unix_ms(desk.in.now_unix_ms());
}

std::int32_t retries_of(const unit& entry) {
  return entry.infra_retries.value_or(0) + entry.oom_retries.value_or(0) +
         entry.stall_retries.value_or(0);
}

// The counter of this class and its limit; null: it is never tried again.
std::optional<std::int32_t>* counter_of(unit& entry, failure_class why, const types::spec& spec,
                                        std::int32_t& limit) {
  switch (why) {
    case failure_class::infrastructure:
    case failure_class::no_result:
      limit = *spec.retry->infra;
      return &entry.infra_retries;
    case failure_class::oom:
      limit = *spec.retry->oom;
      return &entry.oom_retries;
    case failure_class::stall:
      limit = *spec.retry->stall;
      return &entry.stall_retries;
    default:
      return nullptr;
  }
}

// It waits for nothing any more.
void forget_waits(unit& entry) {
  entry.waits_since = {};
  entry.waits_for.reset();
}

void end(unit_desk& desk, unit& entry, unit_state state) {
  entry.state = state;
  entry.finished_at = now_of(desk);
  entry.not_before = {};
  forget_waits(entry);
}

// Of the unit that the run will have failed by: of trials the first one.
void keep_log_tail(record& status, const unit& entry, const std::string& tail) {
  auto& failure = *status.failure;
  if (failure.unit && entry.name.starts_with("trial-")) return;
  failure.unit = entry.name;
  failure.log_tail.reset();
  if (!tail.empty()) failure.log_tail = tail;
}

void enter_success(unit_desk& desk, unit& entry, const outcome& found) {
  end(desk, entry, unit_state::succeeded);
  entry.result = found.result;
  entry.class_.reset();
  entry.exit_code.reset();
  entry.message.reset();
  if (!found.pod_uid.empty()) entry.pod_uid = found.pod_uid;
}

// Either another attempt with its time, or the end of the unit.
void enter_failure(unit_desk& desk, unit& entry, const outcome& found) {
  const std::string title = *desk.in.primary().metadata->name + " " + entry.name;
  entry.class_ = std::string(name_of(found.why));
  entry.exit_code = found.exit_code;
  entry.message = found.message;
  std::int32_t limit = 0;
  auto* counter = counter_of(entry, found.why, desk.run.spec, limit);
  if (counter == nullptr || counter->value_or(0) >= limit) {
    end(desk, entry, unit_state::failed);
    keep_log_tail(desk.status, entry, found.log_tail);
    desk.out.warning_event(std::string(name_of(found.why)),
                           entry.name + " failed: " + found.message);
    return;
  }
  std::int64_t wait = *desk.run.spec.retry->backoff_seconds;
  for (auto i = retries_of(entry); i > 0 && wait < backoff_seconds_max; --i)
    wait *= 2;
  wait = std::min(wait, backoff_seconds_max);
  *counter = counter->value_or(0) + 1;
  entry.attempt = entry.attempt.value_or(1) + 1;
  entry.state = unit_state::waiting;
  entry.started_at = {};
  entry.pod_uid.reset();
  forget_reports(entry);
  forget_waits(entry);
  entry.not_before = sdk::timestamp::of_unix_ms(desk.in.now_unix_ms() + wait * 1000);
  desk.out.warning_event("Retrying", entry.name + ": " + found.message + "; attempt " +
                                         std::to_string(*entry.attempt) + " begins in " +
                                         std::to_string(wait) + " s");
  desk.out.requeue_after(seconds(wait));
}

// False: it is not to be started yet.
bool is_due(unit_desk& desk, const unit& entry) {
  const auto left = ms_of(entry.not_before) - desk.in.now_unix_ms();
  if (left <= 0) return true;
  desk.out.requeue_after(milliseconds(left));
  return false;
}

job wanted(const unit_desk& desk, const unit& entry, std::int32_t attempt) {
  return job_for(desk.frame, desk.run, entry.name, attempt, entry.oom_retries.value_or(0));
}

const job* found_job(const unit_desk& desk, const unit& entry, std::int32_t attempt) {
  return desk.in.owned<job>(job_name(desk.frame, entry.name, attempt));
}

void set_suspended(unit_desk& desk, const job& there, bool suspended) {
  if (there.spec->suspend.value_or(false) == suspended) return;
  job changed = there;
  changed.spec->suspend = suspended;
  desk.out.patch_existing(there, changed);
}

// A pod that does not start is given up after a time, with what it waits for. One whose place has
// to be taken by another, as it was evicted, has all of that time again.
bool missed_start(unit_desk& desk, unit& entry, const outcome& found) {
  if (!entry.waits_since) {
    const bool is_first = !entry.pod_uid && found.started_unix_ms != 0;
    entry.waits_since = is_first ? sdk::timestamp::of_unix_ms(found.started_unix_ms) : now_of(desk);
  }
  const std::int64_t left = ms_of(entry.waits_since) +
                            std::int64_t{*desk.run.spec.timeouts->start} * 1000 -
                            desk.in.now_unix_ms();
  if (left > 0) desk.out.requeue_after(milliseconds(left));
  return left <= 0;
}

// A pod that was deleted is there until its node says that it has ended. A second one beside it
// could be on the same files, so somebody has to say that the node is lost for good.
void tell_lost_pod(unit_desk& desk, unit& entry, const outcome& found) {
  if (found.ends_by_unix_ms == 0) return;
  const std::int64_t left = found.ends_by_unix_ms + lost_after_ms - desk.in.now_unix_ms();
  if (left > 0) return desk.out.requeue_after(milliseconds(left));
  entry.waits_for = "PodLost";
  entry.message =
      "its pod was deleted and does not end, so its node may be lost: it goes on when the node "
      "answers, or is deleted, or tainted with node.kubernetes.io/out-of-service";
}

// It says that it lives, and makes no step. One that says nothing may train all the same.
bool is_stalled(const unit_desk& desk, const unit& entry) {
  const std::int64_t limit = std::int64_t{*desk.run.spec.timeouts->stall} * 1000;
  return limit != 0 && entry.step_at && ms_of(entry.heartbeat_at) - ms_of(entry.step_at) >= limit;
}

void go_on(unit_desk& desk, unit& entry, const outcome& found) {
  if (found.is == outcome::state::starting && missed_start(desk, entry, found)) {
    outcome late = found;
    late.why = failure_class::start_deadline;
    late.message = "no pod ran within spec.timeouts.start: " + found.message;
    return enter_failure(desk, entry, late);
  }
  if (found.is == outcome::state::running) take_report(desk, entry, found.pod_uid);
  if (found.is == outcome::state::running && is_stalled(desk, entry)) {
    outcome stalled = found;
    stalled.why = failure_class::stall;
    stalled.message = "it reports, and made no step within spec.timeouts.stall: the last one was " +
                      std::to_string(entry.step.value_or(0));
    return enter_failure(desk, entry, stalled);
  }
  entry.state = unit_state::running;
  if (!entry.started_at) entry.started_at = now_of(desk);
  if (!found.pod_uid.empty()) entry.pod_uid = found.pod_uid;
  entry.message.reset();
  entry.waits_for.reset();
  if (found.is == outcome::state::starting) {
    entry.message = found.message;
    if (!found.waits_for.empty()) entry.waits_for = found.waits_for;
    return;
  }
  entry.waits_since = {};
  tell_lost_pod(desk, entry, found);
}

}  // namespace

unit& entry_of(record& status, std::string_view name) {
  for (auto& one : status.units) {
    if (one.name == name) return one;
  }
  auto& made = status.units.emplace_back();
  made.name = std::string(name);
  made.state = unit_state::waiting;
  made.attempt = 1;
  return made;
}

void forget_reports(unit& entry) {
  entry.seq.reset();
  entry.first_step.reset();
  entry.step_at = {};
  entry.heartbeat_at = {};
}

const unit* find_entry(const record& status, std::string_view name) {
  const auto found = std::ranges::find(status.units, name, &unit::name);
  return found == status.units.end() ? nullptr : &*found;
}

void advance(unit_desk& desk, unit& entry) {
  const std::int32_t attempt = entry.attempt.value_or(1);
  const job* there = found_job(desk, entry, attempt);
  if (there != nullptr && there->metadata->deletion_timestamp) return;  // it tells when it is gone
  const outcome found = outcome_of(there, desk.pods);
  switch (found.is) {
    case outcome::state::succeeded:
      enter_success(desk, entry, found);
      break;
    case outcome::state::failed:
      enter_failure(desk, entry, found);
      break;
    case outcome::state::missing:
      // Never made, or deleted by somebody: the trainer goes on from its checkpoint, and a unit
      // whose result is on the volume gives it again.
      if (!is_due(desk, entry)) break;
      desk.out.create_once(wanted(desk, entry, attempt));
      entry.state = unit_state::running;
      entry.started_at = now_of(desk);
      forget_waits(entry);
      entry.waits_since = entry.started_at;
      break;
    case outcome::state::suspended:
      desk.out.create_once(wanted(desk, entry, attempt));
      set_suspended(desk, *there, false);
      entry.state = unit_state::running;
      entry.waits_since = now_of(desk);
      break;
    default:
      go_on(desk, entry, found);
      if (!is_final(entry) && entry.attempt.value_or(1) == attempt) {
        desk.out.create_once(wanted(desk, entry, attempt));
      }
  }
}

void settle(unit_desk& desk, unit& entry, const json::value& result) {
  outcome found = outcome_of(found_job(desk, entry, entry.attempt.value_or(1)), desk.pods);
  if (found.is != outcome::state::succeeded) found.result = result;
  enter_success(desk, entry, found);
}

void keep_ended_jobs(unit_desk& desk, const unit& entry) {
  for (std::int32_t attempt = 1; attempt <= entry.attempt.value_or(1); ++attempt) {
    const job* there = found_job(desk, entry, attempt);
    if (there == nullptr || !has_ended(*there)) continue;
    desk.out.create_once(wanted(desk, entry, attempt));
  }
}

void suspend(unit_desk& desk, unit& entry) {
  const std::int32_t attempt = entry.attempt.value_or(1);
  const job* there = found_job(desk, entry, attempt);
  const outcome found = outcome_of(there, desk.pods);
  if (found.is == outcome::state::missing) return;
  if (found.is == outcome::state::succeeded) return enter_success(desk, entry, found);
  if (found.is == outcome::state::failed) return enter_failure(desk, entry, found);
  desk.out.create_once(wanted(desk, entry, attempt));
  set_suspended(desk, *there, true);
  entry.state = unit_state::waiting;
  entry.message.reset();
  forget_reports(entry);
  forget_waits(entry);
}

void stop(unit_desk& desk, unit& entry) {
  end(desk, entry, unit_state::stopped);
}

}  // namespace ml
