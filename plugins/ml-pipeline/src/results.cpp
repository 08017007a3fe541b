#include "results.hpp"

#include <cmath>
#include <cstdio>

#include "parameters.hpp"

namespace ml {

namespace {

bool is_met(std::string_view op, double found, double wanted) {
  if (op == ">=") return found >= wanted;
  if (op == ">") return found > wanted;
  if (op == "<=") return found <= wanted;
  return op == "<" && found < wanted;
}

std::string gate_text(const std::string& metric, std::string_view op, double wanted,
                      const std::optional<double>& found) {
  return metric + " " + (found ? number_text(*found) : std::string("is missing")) + ", wanted " +
         std::string(op) + " " + number_text(wanted);
}

// The version that has the alias now is a gate too, on the same rows.
std::string unmet_champion(const run_config& run, const record& status) {
  const auto& champion = *run.spec.evaluation->champion;
  if (!champion.compare || status.evaluation->champion.empty()) return {};
  const std::string metric = first_metric(run.spec);
  const auto old = status.evaluation->champion.find(metric);
  const auto now = status.evaluation->metrics.find(metric);
  if (old == status.evaluation->champion.end() || now == status.evaluation->metrics.end()) {
    return "the champion's " + metric + " is missing";
  }
  const double gain =
      is_smaller_better(metric) ? old->second - now->second : now->second - old->second;
  const double wanted = champion.min_delta;
  if (gain > wanted || (wanted > 0 && gain >= wanted)) return {};
  return metric + " " + number_text(now->second) + " is not better than the champion's " +
         number_text(old->second) + (wanted > 0 ? " by " + number_text(wanted) : std::string());
}

void set_best(const run_config& run, record& status, std::int32_t trial, const metrics& found,
              const char* about) {
  auto& best = *status.best;
  best.trial = trial;
  best.metrics = found;
  if (static_cast<std::size_t>(trial) < run.trials.size()) {
    best.params = run.trials[static_cast<std::size_t>(trial)];
  }
  const auto first = found.find(first_metric(run.spec));
  best.text = std::string(about) + (first == found.end() ? "?" : number_text(first->second)) +
              (run.trials.size() > 1 ? " (trial " + std::to_string(trial) + ")" : "");
}

}  // namespace

metrics metrics_of(const json::value* object) {
  metrics made;
  if (object == nullptr || object->as_object() == nullptr) return made;
  for (const auto& field : *object->as_object()) {
    const auto number = number_of(field.value);
    if (number && std::isfinite(*number)) made[field.key] = *number;
  }
  return made;
}

const json::value* result_field(const unit& entry, std::string_view key, json::value& memory) {
  if (!entry.result) return nullptr;
  memory = entry.result.value();
  return memory.find(key);
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

std::string first_metric(const types::spec& spec) {
  const auto& all = spec.evaluation->metrics;
  return all.empty() ? "accuracy" : std::string(all.front().text());
}

bool is_smaller_better(std::string_view metric) {
  return metric == "logLoss";
}

void show_best_so_far(const run_config& run, record& status) {
  const std::string metric = first_metric(run.spec);
  std::int32_t best = -1;
  metrics best_found;
  for (std::size_t i = 0; i < run.trials.size(); ++i) {
    const unit* entry = find_entry(status, "trial-" + std::to_string(i));
    if (entry == nullptr || entry->state != unit_state::succeeded) continue;
    json::value memory;
    auto found = metrics_of(result_field(*entry, "metrics", memory));
    const auto now = found.find(metric);
    if (now == found.end()) continue;
    const auto before = best_found.find(metric);
    const bool is_better = best < 0 || (is_smaller_better(metric) ? now->second < before->second
                                                                  : now->second > before->second);
    if (!is_better) continue;
    best = static_cast<std::int32_t>(i);
    best_found = std::move(found);
  }
  if (best >= 0) set_best(run, status, best, best_found, "~");
}

bool enter_evaluation(const run_config& run, const unit& evaluated, record& status,
                      std::string& why) {
  json::value memory;
  const auto found = metrics_of(result_field(evaluated, "metrics", memory));
  if (!found.contains(first_metric(run.spec))) {
    why = "expected the evaluation's metrics to have " + first_metric(run.spec) + ", found none";
    return false;
  }
  const auto* trial = result_field(evaluated, "trial", memory);
  const auto* number = trial == nullptr ? nullptr : trial->as_integer();
  if (number == nullptr || *number < 0 || *number >= static_cast<std::int64_t>(run.trials.size())) {
    why = "expected the evaluation's result to name one of the trials";
    return false;
  }
  status.evaluation->metrics = found;
  const auto index = static_cast<std::int32_t>(*number);
  status.evaluation->champion = metrics_of(result_field(evaluated, "champion", memory));
  set_best(run, status, index, found, "");
  return true;
}

std::string unmet_gates(const run_config& run, record& status) {
  auto& evaluation = *status.evaluation;
  evaluation.gates.clear();
  std::string unmet;
  const auto add = [&unmet](const std::string& text) {
    if (!text.empty()) unmet += (unmet.empty() ? "" : "; ") + text;
  };
  for (const auto& gate : run.spec.evaluation->gates) {
    auto& entered = evaluation.gates.emplace_back();
    const std::string metric(gate.metric.text());
    entered.metric = metric;
    entered.op = std::string(gate.op.text());
    entered.value = gate.value;
    if (const auto found = evaluation.metrics.find(metric); found != evaluation.metrics.end()) {
      entered.found = found->second;
    }
    entered.passed = entered.found && is_met(gate.op.text(), *entered.found, gate.value);
    if (!*entered.passed) add(gate_text(metric, gate.op.text(), gate.value, entered.found));
  }
  add(unmet_champion(run, status));
  return unmet;
}

}  // namespace ml
