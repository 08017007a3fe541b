#pragma once
// The seam between a controller and the code that decides: a plugin over the C ABI (core/plugin),
// or a test. Inputs are handed over together, outputs come back together.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/cache/object.hpp"
#include "core/controller/spec.hpp"

namespace oarlock::controller {

/// How the last attempt on a key failed after its plan was made.
struct step_failure {
  std::string step;
  std::string reason;
  std::string message;
};

struct input_object {
  const kube::resource* resource = nullptr;  ///< of the controller's spec
  cache::object_ptr object;
};

/// Everything one plan may look at. The pointers keep the snapshots alive.
struct plan_input {
  const controller_spec* spec = nullptr;
  cache::object_key key;
  cache::object_ptr primary;
  std::vector<input_object> owned;
  std::vector<input_object> watched;
  wall_time now;
  std::optional<step_failure> last_failure;
  /// The primary is being deleted, and waits for this plugin's finalizer.
  bool deleting = false;
};

enum class condition_status { no, yes, unknown };

struct condition {
  std::string type;
  condition_status status = condition_status::unknown;
  std::string reason;
  std::string message;
};

struct plan_event {
  bool warning = false;
  std::string reason;
  std::string message;
};

/// A child that shall exist: JSON with apiVersion, kind, metadata.name and the fields that matter.
struct intent {
  std::uint32_t group = 0;
  std::string json;
};

enum class plan_verdict {
  done,      ///< the outputs are to be carried out
  retry,     ///< the plan failed and may work later
  terminal,  ///< the plan failed until the object changes
};

struct plan_output {
  plan_verdict verdict = plan_verdict::done;
  std::string fail_reason;
  std::string fail_message;
  std::vector<intent> apply_set;
  std::optional<std::string> status_json;
  std::vector<condition> conditions;
  std::vector<plan_event> events;
  std::optional<std::chrono::milliseconds> requeue_after;
  /// Of a deletion: nothing is left to be done once the steps of this plan have happened.
  bool finished = false;
};

/// Thread: worker threads of the plugin's lane; one call at a time per key.
class reconciler {
 public:
  virtual ~reconciler() = default;
  /// Never throws: whatever goes wrong inside is a verdict with reason and message.
  [[nodiscard]] virtual plan_output plan(const plan_input& input) = 0;
};

}  // namespace oarlock::controller
