#pragma once
// A unit is one thing that a Job does: prepare, trial-<n>, evaluate, publish. Its entry in the
// status is the ledger: attempts, retries by class, the outcome. What is entered as final stays so,
// whatever becomes of the Job; a unit that is not final is asked for until it has an outcome.
#include <functional>
#include <string>
#include <vector>

#include "jobs.hpp"
#include "outcome.hpp"

namespace ml {

/// What the units of one plan share. References outlive it.
struct unit_desk {
  const input& in;
  output& out;
  const run_config& run;
  record& status;
  const std::vector<const core::pod*>& pods;
  job_frame frame;
  std::int64_t reports_wait_ms = 0;  ///< until reports of pods are taken again; 0: now
};

/// The entry of this name; made when it is missing.
[[nodiscard]] unit& entry_of(record& status, std::string_view name);
[[nodiscard]] const unit* find_entry(const record& status, std::string_view name);

/// What a pod has said of itself does not count for the next one.
void forget_reports(unit& entry);
/// Looks at the unit's Job, enters its outcome, starts what is to be started. To be called for a
/// unit whose turn it is, and that is not final.
void advance(unit_desk& desk, unit& entry);
/// It has succeeded, as something else shows: what its Job says of it, or `result`.
void settle(unit_desk& desk, unit& entry, const json::value& result);
/// Keeps Jobs that have ended, for their logs, while they are there.
void keep_ended_jobs(unit_desk& desk, const unit& entry);
/// The Job stays with no pod: it writes a checkpoint and goes on when it is advanced again.
void suspend(unit_desk& desk, unit& entry);
/// It is not wanted any more; its Job is deleted by not being mentioned.
void stop(unit_desk& desk, unit& entry);

}  // namespace ml
