#include "progress.hpp"

#include <algorithm>

namespace ml {

namespace {

// How much of a run each stage counts for.
constexpr double prepare_share = 5, train_share = 80, evaluate_share = 10, publish_share = 5;
constexpr std::int32_t samples_before_eta = 3;

struct training {
  double done = 0;           // of all trials, in trials
  double resumed = 0;        // of that, what attempts have found done
  std::int32_t samples = 0;  // by which its pace is known
  std::int64_t began_unix_ms = 0;
  std::int64_t seen_unix_ms = 0;           // when the last of it was done
  std::int64_t step = 0, total_steps = 0;  // of those under way
};

double part_of(const unit& entry, std::int64_t step) {
  const double total = static_cast<double>(entry.total_steps.value_or(0));
  return total <= 0 ? 0 : std::clamp(static_cast<double>(step) / total, 0.0, 1.0);
}

double fraction_of(const unit& entry) {
  return is_final(entry) ? 1 : part_of(entry, entry.step.value_or(0));
}

void count_steps(const unit& entry, training& made) {
  made.done += fraction_of(entry);
  made.seen_unix_ms = std::max({made.seen_unix_ms, ms_of(entry.step_at), ms_of(entry.finished_at)});
  const auto began = ms_of(entry.started_at);
  if (began != 0 && (made.began_unix_ms == 0 || began < made.began_unix_ms)) {
    made.began_unix_ms = began;
  }
  if (is_final(entry)) {
    ++made.samples;
    return;
  }
  made.samples +=
      static_cast<std::int32_t>(std::min<std::int64_t>(entry.seq.value_or(0), samples_before_eta));
  made.resumed += part_of(entry, entry.first_step.value_or(0));
  made.step += entry.step.value_or(0);
  made.total_steps += entry.total_steps.value_or(0);
}

training count_trials(unit_desk& desk) {
  training made;
  auto& counted = *desk.status.trials;
  counted = {};
  counted.total = static_cast<std::int32_t>(desk.run.trials.size());
  std::int32_t running = 0, succeeded = 0, failed = 0, stopped = 0;
  for (const auto& entry : desk.status.units) {
    if (!entry.name.starts_with("trial-")) continue;
    running += entry.state == unit_state::running ? 1 : 0;
    succeeded += entry.state == unit_state::succeeded ? 1 : 0;
    failed += entry.state == unit_state::failed ? 1 : 0;
    stopped += entry.state == unit_state::stopped ? 1 : 0;
    count_steps(entry, made);
  }
  counted.running = running;
  counted.succeeded = succeeded;
  counted.failed = failed;
  counted.stopped = stopped;
  return made;
}

double done_of(const record& status, std::string_view name) {
  const unit* entry = find_entry(status, name);
  return entry == nullptr ? 0 : fraction_of(*entry);
}

void show_eta(unit_desk& desk, const training& trained) {
  auto& shown = *desk.status.progress;
  shown.eta.reset();
  shown.eta_seconds.reset();
  const double total = static_cast<double>(desk.run.trials.size());
  const double own = trained.done - trained.resumed;
  const std::int64_t passed_ms = trained.seen_unix_ms - trained.began_unix_ms;
  if (desk.status.phase != phase::training || trained.samples < samples_before_eta || own <= 0 ||
      trained.began_unix_ms == 0 || passed_ms <= 0) {
    return;
  }
  // As of the last step: it changes with what is known, not with the clock.
  const double passed = static_cast<double>(passed_ms) / 1000.0;
  const auto left = static_cast<std::int64_t>(passed / own * (total - trained.done));
  shown.eta_seconds = left;
  shown.eta = duration_text(left);
}

// "attempt 2, resumed at 40%"
std::string attempt_text(const unit& entry) {
  std::string made = "attempt " + std::to_string(*entry.attempt);
  if (entry.first_step.value_or(0) > 0) {
    made += ", resumed at " +
            std::to_string(static_cast<int>(100 * part_of(entry, *entry.first_step))) + "%";
  }
  return made;
}

}  // namespace

std::string duration_text(std::int64_t seconds) {
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (seconds >= 3600) return std::to_string(seconds / 3600) + "h" + two(seconds / 60 % 60) + "m";
  if (seconds >= 60) return std::to_string(seconds / 60) + "m" + two(seconds % 60) + "s";
  return std::to_string(std::max<std::int64_t>(seconds, 0)) + "s";
}

void show_progress(unit_desk& desk) {
  const training trained = count_trials(desk);
  auto& shown = *desk.status.progress;
  const bool publishes = desk.run.spec.publish && *desk.run.spec.publish->enabled;
  const double total = static_cast<double>(std::max<std::size_t>(desk.run.trials.size(), 1));
  double percent = prepare_share * done_of(desk.status, "prepare") +
                   (publishes ? train_share : train_share + publish_share) * trained.done / total +
                   evaluate_share * done_of(desk.status, "evaluate") +
                   publish_share * (publishes ? done_of(desk.status, "publish") : 0);
  // The last percent is for the model that answers.
  if (desk.status.phase == phase::succeeded) percent = 100;
  if (desk.status.phase != phase::succeeded) percent = std::min(percent, 99.0);
  shown.percent = static_cast<std::int32_t>(percent);
  shown.text = std::to_string(*shown.percent) + "%";
  if (desk.run.trials.size() > 1) {
    *shown.text += " (" +
                   std::to_string(desk.status.trials->succeeded.value_or(0) +
                                  desk.status.trials->failed.value_or(0)) +
                   "/" + std::to_string(desk.run.trials.size()) + ")";
  }
  shown.step.reset();
  shown.total_steps.reset();
  if (trained.total_steps > 0) {
    shown.step = trained.step;
    shown.total_steps = trained.total_steps;
  }
  show_eta(desk, trained);
}

std::string progress_message(const record& status) {
  for (const auto& entry : status.units) {
    if (entry.state == unit_state::running && entry.message) {
      return entry.name + (entry.waits_since ? " waits to start: " : ": ") + *entry.message;
    }
    if (entry.state == unit_state::waiting && entry.not_before) {
      return entry.name + ": " + entry.message.value_or("") + "; attempt " +
             std::to_string(entry.attempt.value_or(1)) + " is next";
    }
  }
  std::string running;
  for (const auto& entry : status.units) {
    if (entry.state != unit_state::running) continue;
    running += (running.empty() ? "" : ", ") + entry.name;
    if (entry.attempt.value_or(1) > 1) running += " (" + attempt_text(entry) + ")";
  }
  if (status.phase == phase::suspended) return "suspended; pods are gone, checkpoints are kept";
  if (running.empty()) return std::string(status.phase.text());
  return running + " under way";
}

}  // namespace ml
