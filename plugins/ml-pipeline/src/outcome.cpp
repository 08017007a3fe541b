#include "outcome.hpp"

#include <algorithm>
#include <array>

namespace ml {

namespace {

constexpr std::size_t message_bytes_max = 1024;
constexpr std::size_t tail_bytes_max = 2048;
const std::string job_name_label = "batch.kubernetes.io/job-name";

const core::container_state_terminated* end_of(const core::pod& p) {
  for (const auto& container : p.status->container_statuses) {
    if (container.name == "main") return container.state->terminated.get();
  }
  return nullptr;
}

bool runs(const core::pod& p) {
  return std::ranges::any_of(p.status->container_statuses, [](const auto& container) {
    return container.name == "main" && container.state->running.has_value();
  });
}

// The end of a log, from the beginning of a character on.
std::string tail_of(std::string_view text) {
  if (text.size() <= tail_bytes_max) return std::string(text);
  std::size_t from = text.size() - tail_bytes_max;
  while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0U) == 0x80U)
    ++from;
  return std::string(text.substr(from));
}

// The pods of the Job, the youngest last; by name where two are of one second.
std::vector<const core::pod*> pods_of(const job& there, const std::vector<const core::pod*>& all) {
  std::vector<const core::pod*> found;
  const std::string name = there.metadata->name.value_or("");
  std::ranges::copy_if(all, std::back_inserter(found), [&](const core::pod* p) {
    return p->metadata->label(job_name_label) == name &&
           std::ranges::any_of(p->metadata->owner_references, [&](const auto& owner) {
             return owner.uid == there.metadata->uid.value_or("");
           });
  });
  std::ranges::sort(found, {}, [](const core::pod* p) {
    return std::pair(p->metadata->creation_timestamp.text(), p->metadata->name.value_or(""));
  });
  return found;
}

// What the trainer's programs write as their last word: {"ok": true, "result": {...}} or
// {"ok": false, "message": "...", "log": "..."}. Anything else is the end of a log.
struct last_word {
  bool is_json = false;
  bool ok = false;
  std::string message;
  std::string log_tail;
  json::value result;
};
last_word read_last_word(const std::string& text) {
  last_word made;
  try {
    const auto document = json::parse(text);
    const json::node root{&document};
    if (!root.is_object() || root["ok"].raw() == nullptr) return made;
    made.is_json = true;
    made.ok = root["ok"].boolean();
    made.message = sdk::shorten(root["message"].text(), message_bytes_max);
    made.log_tail = tail_of(root["log"].text());
    if (root["result"].is_object()) made.result = json::copy(root["result"]);
  } catch (const json::parse_error&) {
    made.is_json = false;
  }
  return made;
}

failure_class class_of(std::int32_t exit_code) {
  switch (exit_code) {
    case 43:
      return failure_class::dataset;
    case 44:
      return failure_class::model;
    case 75:
      return failure_class::infrastructure;
    default:
      // From 128 on it was a signal: killed from outside, or a crash that may not come again.
      return exit_code >= 128 ? failure_class::infrastructure : failure_class::user;
  }
}

std::string_view meaning_of(std::int32_t exit_code) {
  switch (exit_code) {
    case 42:
      return "the request cannot be carried out";
    case 43:
      return "the dataset was refused";
    case 44:
      return "the model was refused";
    case 75:
      return "a temporary fault";
    case 137:
      return "killed";
    case 143:
      return "terminated";
    default:
      return "the program failed";
  }
}

void tell_end(const core::pod& p, const core::container_state_terminated& end, outcome& made) {
  made.exit_code = end.exit_code;
  made.pod_uid = p.metadata->uid.value_or("");
  const last_word said = read_last_word(end.message.value_or(""));
  made.log_tail = said.is_json ? said.log_tail : tail_of(end.message.value_or(""));
  made.why = end.reason == "OOMKilled" ? failure_class::oom : class_of(end.exit_code);
  if (!said.message.empty()) {
    made.message = said.message;
  } else if (made.why == failure_class::oom) {
    made.message = "the memory limit was reached (OOMKilled)";
  } else {
    made.message = "exit code " + std::to_string(end.exit_code) + ": " +
                   std::string(meaning_of(end.exit_code));
  }
  if (p.status->reason == "Evicted") {
    made.why = failure_class::infrastructure;
    made.message = "evicted: " + p.status->message.value_or("");
  }
}

outcome success(const std::vector<const core::pod*>& pods) {
  outcome made;
  for (const auto* p : pods) {
    const auto* end = end_of(*p);
    if (end == nullptr || end->exit_code != 0) continue;
    const last_word said = read_last_word(end->message.value_or(""));
    if (!said.is_json || !said.ok || said.result.as_object() == nullptr) continue;
    made.is = outcome::state::succeeded;
    made.pod_uid = p->metadata->uid.value_or("");
    made.result = said.result;
    return made;
  }
  made.is = outcome::state::failed;
  made.why = failure_class::no_result;
  made.message = "the Job succeeded, and no pod of it is there that says what came of it";
  return made;
}

outcome failure(const core::pod* last, const auto& condition) {
  outcome made;
  made.is = outcome::state::failed;
  if (condition.reason == "DeadlineExceeded") {
    made.why = failure_class::active_deadline;
    made.message = "it was not done within spec.timeouts.active";
    return made;
  }
  const auto* end = last == nullptr ? nullptr : end_of(*last);
  if (end != nullptr) {
    tell_end(*last, *end, made);
  } else {
    made.why = failure_class::infrastructure;
    made.message = last == nullptr ? "its pod is gone: deleted, or its node was lost"
                                   : "its pod has failed: " +
                                         last->status->message.value_or(
                                             last->status->reason.value_or("no reason is given"));
  }
  return made;
}

// What a pod that does not run waits for, in the scheduler's or the kubelet's words.
void tell_wait(const core::pod* p, outcome& made) {
  made.is = outcome::state::starting;
  made.message = "no pod was made yet";
  if (p == nullptr) return;
  made.message = "its container is being made";
  for (const auto& container : p->status->container_statuses) {
    const auto& waiting = *container.state->waiting;
    if (!waiting.reason || waiting.reason == "ContainerCreating" ||
        waiting.reason == "PodInitializing") {
      continue;
    }
    made.waits_for = *waiting.reason;
    made.message =
        sdk::shorten(*waiting.reason + ": " + waiting.message.value_or(""), message_bytes_max);
    return;
  }
  const auto* scheduled = sdk::find_condition(p->status->conditions, "PodScheduled");
  if (scheduled != nullptr && scheduled->status == "False") {
    made.waits_for = scheduled->reason.value_or("Unschedulable");
    made.message =
        sdk::shorten(made.waits_for + ": " + scheduled->message.value_or(""), message_bytes_max);
  }
}

}  // namespace

std::string_view name_of(failure_class c) {
  static constexpr std::array<std::string_view, 9> names = {
      "User",          "Dataset", "Model",          "OOM",     "Infrastructure",
      "StartDeadline", "Stall",   "ActiveDeadline", "NoResult"};
  return names[static_cast<std::size_t>(c)];
}

bool has_ended(const job& there) {
  return sdk::is_condition(there.status->conditions, "Complete") ||
         sdk::is_condition(there.status->conditions, "Failed");
}

outcome outcome_of(const job* there, const std::vector<const core::pod*>& pods) {
  if (there == nullptr || there->metadata->deletion_timestamp) return {};
  const auto mine = pods_of(*there, pods);
  const core::pod* last = mine.empty() ? nullptr : mine.back();
  outcome made;
  if (sdk::is_condition(there->status->conditions, "Complete")) {
    made = success(mine);
  } else if (sdk::is_condition(there->status->conditions, "Failed")) {
    made = failure(last, *sdk::find_condition(there->status->conditions, "Failed"));
  } else if (there->spec->suspend.value_or(false)) {
    made.is = outcome::state::suspended;
  } else if (last != nullptr && (runs(*last) || end_of(*last) != nullptr)) {
    made.is = outcome::state::running;
    made.pod_uid = last->metadata->uid.value_or("");
    made.ends_by_unix_ms = ms_of(last->metadata->deletion_timestamp);
  } else {
    tell_wait(last, made);
  }
  made.started_unix_ms = ms_of(there->status->start_time);
  return made;
}

}  // namespace ml
