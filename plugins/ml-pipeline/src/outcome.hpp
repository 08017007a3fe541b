#pragma once
// What came of a Job: from its conditions and from what its pod said at its end.
#include <optional>
#include <string>
#include <vector>

#include "types.hpp"

namespace ml {

/// Why something failed; each has its own rule for retries.
enum class failure_class {
  user,
  dataset,
  model,
  oom,
  infrastructure,
  start_deadline,
  stall,
  active_deadline,
  no_result,
};
[[nodiscard]] std::string_view name_of(failure_class c);

struct outcome {
  enum class state {
    missing,  ///< there is no such Job
    suspended,
    starting,  ///< no container runs yet; `message` says what it waits for
    running,
    succeeded,  ///< `result` has what the pod said
    failed,
  };
  state is = state::missing;
  failure_class why = failure_class::infrastructure;
  std::optional<std::int32_t> exit_code;
  std::string message;
  std::string log_tail;
  /// Of one that starts or runs: what holds it up, in a word; empty: nothing that is known.
  std::string waits_for;
  std::int64_t ends_by_unix_ms =
      0;  ///< its pod was deleted and should be gone by then; 0: it was not
  json::value result;
  std::string pod_uid;
  std::int64_t started_unix_ms = 0;  ///< of the Job; 0: it was not started yet
};

/// `there`: null when there is none. `pods`: those of the pipeline.
[[nodiscard]] outcome outcome_of(const job* there, const std::vector<const core::pod*>& pods);

/// The Job has ended, one way or the other.
[[nodiscard]] bool has_ended(const job& there);

}  // namespace ml
