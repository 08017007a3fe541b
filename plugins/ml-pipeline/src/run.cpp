#include "run.hpp"

#include "results.hpp"

namespace ml {

void fail_run(record& status, std::string_view reason, std::string_view class_name,
              const std::string& message) {
  status.phase = phase::failed;
  status.reason = std::string(reason);
  status.message = message;
  status.failure->class_ = std::string(class_name);
  status.failure->message = message;
}

void stages::go() {
  if (prepare() && train() && evaluate() && pass_gates()) publish_model();
}

void stages::fail_by(const unit& entry) {
  fail_run(desk_.status, entry.class_.value_or("Unknown"), entry.class_.value_or("Unknown"),
           entry.name + ": " + entry.message.value_or(""));
  if (desk_.status.failure->unit != entry.name) desk_.status.failure->log_tail.reset();
  desk_.status.failure->unit = entry.name;
  desk_.status.failure->exit_code = entry.exit_code;
}

void stages::stop_the_rest() {
  for (auto& entry : desk_.status.units) {
    if (!is_final(entry)) stop(desk_, entry);
  }
}

// Each stage: true once it is behind us.
bool stages::prepare() {
  unit& entry = entry_of(desk_.status, "prepare");
  if (!is_final(entry)) {
    desk_.status.phase = phase::preparing;
    advance(desk_, entry);
  }
  if (entry.state == unit_state::failed) {
    fail_by(entry);
    return false;
  }
  if (entry.state != unit_state::succeeded) return false;
  desk_.status.dataset = entry.result;
  return true;
}

stages::tally stages::advance_trials() {
  tally counted;
  const auto count = [&counted](const unit& entry) {
    counted.succeeded += entry.state == unit_state::succeeded ? 1 : 0;
    counted.failed += entry.state == unit_state::failed ? 1 : 0;
  };
  const std::int32_t parallel = desk_.run.spec.search->parallel;
  for (std::size_t i = 0; i < desk_.run.trials.size(); ++i) {
    unit& entry = entry_of(desk_.status, "trial-" + std::to_string(i));
    if (!is_final(entry)) {
      // A trial that waits for its next attempt keeps its place.
      const bool has_begun = entry.state == unit_state::running || entry.attempt.value_or(1) > 1;
      if (!has_begun && counted.running >= parallel) continue;
      advance(desk_, entry);
      if (!is_final(entry)) ++counted.running;
    }
    count(entry);
  }
  return counted;
}

bool stages::train() {
  const auto total = static_cast<std::int32_t>(desk_.run.trials.size());
  const unit* chosen = find_entry(desk_.status, "evaluate");
  if (chosen != nullptr) return true;
  desk_.status.phase = phase::training;
  const tally counted = advance_trials();
  show_best_so_far(desk_.run, desk_.status);
  const std::int32_t allowed = total > 1 ? *desk_.run.spec.search->max_failed : 0;
  if (counted.failed > allowed || (counted.failed == total && total > 0)) {
    for (const auto& entry : desk_.status.units) {
      if (entry.state != unit_state::failed) continue;
      fail_by(entry);
      break;
    }
    if (total > 1) {
      desk_.status.message = std::to_string(counted.failed) + " of " + std::to_string(total) +
                             " trials failed, " + std::to_string(allowed) + " may; " +
                             desk_.status.message.value_or("");
      desk_.status.failure->message = desk_.status.message;
    }
    stop_the_rest();
    return false;
  }
  return counted.succeeded + counted.failed == total;
}

bool stages::evaluate() {
  unit& entry = entry_of(desk_.status, "evaluate");
  if (!is_final(entry)) {
    desk_.status.phase = phase::evaluating;
    advance(desk_, entry);
  }
  if (entry.state == unit_state::failed) {
    fail_by(entry);
    return false;
  }
  if (entry.state != unit_state::succeeded) return false;
  std::string why;
  if (enter_evaluation(desk_.run, entry, desk_.status, why)) return true;
  fail_run(desk_.status, "NoResult", "NoResult", why);
  return false;
}

bool stages::pass_gates() {
  const std::string unmet = unmet_gates(desk_.run, desk_.status);
  if (unmet.empty()) return true;
  desk_.status.phase = phase::rejected;
  desk_.status.reason = "GateNotMet";
  desk_.status.message = unmet;
  desk_.out.warning_event("Rejected", unmet);
  return false;
}

void stages::succeed(const std::string& message) {
  desk_.status.phase = phase::succeeded;
  desk_.status.failure.reset();  // of trials that were allowed to fail
  desk_.status.reason = "Succeeded";
  desk_.status.message = message;
}

void stages::publish_model() {
  const auto& wanted = desk_.run.spec.publish;
  const std::string numbers =
      first_metric(desk_.run.spec) + " " + desk_.status.best->text.value_or("");
  if (!wanted || !wanted->enabled) return succeed(numbers);
  desk_.status.phase = phase::publishing;
  const model* m = find_model(desk_.in, wanted->model);
  if (m == nullptr) {
    fail_run(desk_.status, "ModelNotFound", "User",
             "expected the Model " + wanted->model.value_or("") + ", found none");
    return;
  }
  switch (publish(desk_, *m)) {
    case publication::done:
      return succeed(desk_.status.model->text.value_or("") + ", " + numbers);
    case publication::failed:
      if (const unit* entry = find_entry(desk_.status, "publish");
          entry != nullptr && entry->state == unit_state::failed) {
        return fail_by(*entry);
      }
      return fail_run(desk_.status, "ServingFailed", desk_.status.failure->class_.value_or("Model"),
                      desk_.status.failure->message.value_or(""));
    case publication::under_way:
      return;
  }
}

}  // namespace ml
