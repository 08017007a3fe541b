#pragma once
// Short names for what the plans talk about, and small helpers that all of them use.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ml.oarlock.dev/v1alpha1/algorithm_template.hpp"
#include "ml.oarlock.dev/v1alpha1/model.hpp"
#include "ml.oarlock.dev/v1alpha1/training_pipeline.hpp"
#include "oarlock/k8s/batch/v1.hpp"
#include "oarlock/k8s/core/v1.hpp"
#include "oarlock/sdk/planner.hpp"

namespace ml {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;
namespace core = oarlock::k8s::core::v1;
namespace types = ml_oarlock_dev::v1alpha1::training_pipeline_types;

using ml_oarlock_dev::v1alpha1::algorithm_template;
using ml_oarlock_dev::v1alpha1::model;
using ml_oarlock_dev::v1alpha1::training_pipeline;
using oarlock::k8s::batch::v1::job;

using input = sdk::input<training_pipeline>;
using output = sdk::output<training_pipeline>;
using record = types::status;           ///< what is known of the run, kept in .status
using unit = types::status_units_item;  ///< one thing that a Job does
using phase = types::status_phase;
using unit_state = types::status_units_item_state;

inline constexpr std::string_view pipeline_label = "ml.oarlock.dev/pipeline";
inline constexpr std::string_view unit_label = "ml.oarlock.dev/unit";
inline constexpr std::string_view model_label = "ml.oarlock.dev/model";
inline constexpr std::string_view default_image = "oarlock-ml-trainer:0.1.0";

/// What the user asked for cannot be done: the run ends as Failed, class User.
struct user_mistake : std::runtime_error {
  user_mistake(std::string reason_word, const std::string& message)
      : std::runtime_error(message), reason(std::move(reason_word)) {}
  std::string reason;
};

/// FNV-1a of 64 bits, in hexadecimal: names and "has it changed", no security.
[[nodiscard]] std::string hash_of(std::string_view text);

/// A field that is a number or a text, as a quantity.
[[nodiscard]] inline sdk::quantity quantity_of(const sdk::int_or_string& value,
                                               std::string_view otherwise) {
  if (const auto* number = value.number()) return sdk::quantity(*number);
  if (const auto* text = value.text()) return sdk::quantity(*text);
  return sdk::quantity(otherwise);
}

[[nodiscard]] inline bool is_final(const sdk::open_enum<phase>& p) {
  return p == phase::succeeded || p == phase::failed || p == phase::rejected;
}
[[nodiscard]] inline bool is_final(const unit& u) {
  return u.state == unit_state::succeeded || u.state == unit_state::failed ||
         u.state == unit_state::stopped;
}

/// Milliseconds of a time in the status; 0 when it is unset.
[[nodiscard]] inline std::int64_t ms_of(const sdk::timestamp& at) {
  return at.unix_ms().value_or(0);
}

}  // namespace ml
