#pragma once
// What the evaluation found, and whether it is good enough. The evaluator's numbers decide; what a
// trial said of itself is only shown.
#include <map>
#include <optional>
#include <string>

#include "units.hpp"

namespace ml {

using metrics = std::map<std::string, double>;

/// The finite numbers of an object.
[[nodiscard]] metrics metrics_of(const json::value* object);
/// The field of a unit's result, or null. `memory` keeps it.
[[nodiscard]] const json::value* result_field(const unit& entry, std::string_view key,
                                              json::value& memory);
/// "0.9825": four digits.
[[nodiscard]] std::string number_text(double value);
/// The first of spec.evaluation.metrics.
[[nodiscard]] std::string first_metric(const types::spec& spec);
/// A smaller number of this metric is the better one.
[[nodiscard]] bool is_smaller_better(std::string_view metric);

/// Of the trials that have ended, the best by what they say of themselves: for the eye only.
void show_best_so_far(const run_config& run, record& status);
/// Enters status.evaluation and status.best from the evaluation's result. False: the result lacks
/// what it must have; `why` says what.
[[nodiscard]] bool enter_evaluation(const run_config& run, const unit& evaluated, record& status,
                                    std::string& why);
/// The gates that are not met, in one sentence; empty when all are. Enters status.evaluation.gates.
[[nodiscard]] std::string unmet_gates(const run_config& run, record& status);

}  // namespace ml
