#pragma once
// What is written to .status: the plugin's fields, and the conditions that every kind of Oarlock
// has (kstatus: Ready, Reconciling, Stalled) with observedGeneration. Pure functions.
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/controller/reconciler.hpp"

namespace oarlock::controller {

/// How this attempt went after the plan: the failed step and its error, if one failed.
struct attempt {
  std::optional<step_failure> failure;
  bool failure_needs_a_person = false;
  /// It will fail again until the object changes: not tried again.
  bool terminal = false;
  /// The write gate held a write back: nothing is known to be done, nothing failed.
  bool abandoned = false;
  /// The server asked for so long a pause.
  std::optional<std::chrono::milliseconds> retry_after = {};
};

/// The server-side apply body for the status subresource, or nothing when the live status already
/// says all of it. A plan that records no status, no conditions and whose attempt did not fail
/// leaves the object alone, unless it still says that it is paused. lastTransitionTime is kept
/// while a condition's status stays the same. `generation` is the one that was planned for, which
/// may be older than `primary`: observedGeneration must not say that a spec was met which nobody
/// has looked at (API conventions, "Typical status properties").
[[nodiscard]] result<std::optional<std::string>> render_status(
    const controller_spec& spec, const cache::object& primary, std::int64_t generation,
    const plan_output& plan, const attempt& outcome, wall_time now);

/// The body of a status step: its fields and the live conditions, under the version that it is to
/// replace. Nothing when the object has that version and says all of it.
[[nodiscard]] result<std::optional<std::string>> render_status_swap(const controller_spec& spec,
                                                                    const cache::object& primary,
                                                                    const status_swap& step);

/// `oarlock.dev/paused: "true"` on a primary: no plan is made for it and nothing is written but a
/// condition that says so, until the annotation is gone.
inline constexpr std::string_view paused_annotation = "oarlock.dev/paused";
[[nodiscard]] bool is_paused(const cache::object& primary);

/// The status of a paused object: as it is, plus the condition Paused. Nothing when it has that.
[[nodiscard]] result<std::optional<std::string>> render_paused(const controller_spec& spec,
                                                               const cache::object& primary,
                                                               wall_time now);

/// Puts the outcome of the attempt into the plan's conditions and fills in those of Ready,
/// Reconciling and Stalled that the plan left out.
[[nodiscard]] std::vector<condition> complete_conditions(const plan_output& plan,
                                                         const attempt& outcome);

/// What of .status a controller writes: the fields at its top and the types of conditions that its
/// plans have had in this process. What others write beside that is theirs.
class status_terms {
 public:
  /// Before the status of that plan is written.
  void learn(const plan_output& plan, const attempt& outcome);
  /// False when nothing of it differs between two versions of an object.
  [[nodiscard]] bool touched(const cache::object& before, const cache::object& after) const;

 private:
  void learn_fields(std::string_view status_json);

  std::set<std::string> fields_;
  std::set<std::string> conditions_{"Paused"};
};

/// RFC 3339 in UTC with seconds, as metav1.Time.
[[nodiscard]] std::string rfc3339(wall_time t);

}  // namespace oarlock::controller
