#pragma once
// The seam between a controller and the code that decides: a plugin over the C ABI (core/plugin),
// or a test. Inputs are handed over together, outputs come back together.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/call_place.hpp"
#include "core/base/clock.hpp"
#include "core/base/log.hpp"
#include "core/base/result.hpp"
#include "core/cache/object.hpp"
#include "core/controller/cached_kinds.hpp"
#include "core/controller/spec.hpp"
#include "core/kube/write_gate.hpp"

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

/// What a live read came to.
struct live_object {
  bool is_read = false;             ///< else `reason` and `message` say why not
  bool may_work_later = false;      ///< of one that is not read
  std::optional<std::string> json;  ///< nothing: there is no such object
  std::string reason;
  std::string message;
};

/// Live reads for one call of observe() or effect(). Thread: that of the call; blocks.
class live_reads {
 public:
  virtual ~live_reads() = default;
  /// `resource` as in plugin.yaml: "secrets", "deployments.apps".
  [[nodiscard]] virtual live_object get(const std::string& resource, const std::string& name) = 0;
};

/// What a request of a pod left for the plans of an object.
struct input_note {
  std::string name;
  std::string json;
  std::string service_account;  ///< who said it, as the API server knows the pod
  std::string pod_name;
  std::string pod_uid;
  wall_time recorded;
};

/// How pods reach this daemon.
struct inbound_endpoint {
  std::string url;  ///< without the plugin's name: "https://host:9443/v1"
  std::string ca_pem;
  std::string audience;
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
  /// What the log records of this reconcile carry; null: nothing.
  log_context_ptr log = nullptr;
  live_reads* reads = nullptr;  ///< for observe(); null: none
  /// For observe() and plan(), beyond these inputs; null: none.
  const cached_kinds* cache = nullptr;
  std::vector<std::shared_ptr<const input_note>> notes = {};  ///< by name
  std::shared_ptr<const inbound_endpoint> inbound = nullptr;  ///< null: there is none
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

/// One object that exists and that a step is about, in the primary's namespace.
struct step_target {
  kube::resource resource;
  std::string name;
  std::string uid;               ///< empty only for kinds that are not cached
  std::string resource_version;  ///< empty: any
};

/// A child that is made when it is missing, and left alone when it is there.
struct create_once {
  std::string json;
};
/// Changes fields of an object that exists; never makes one.
struct patch_existing {
  step_target target;
  bool merge = false;  ///< a merge patch (RFC 7386); else a server-side apply, which is not forced
  std::string json;
};
struct delete_object {
  step_target target;
  std::optional<std::int64_t> grace_seconds;
  std::string propagation = "Background";
};
/// Writes fields of .status if the object still has that version.
struct status_swap {
  std::string json;
  std::string resource_version;
};
/// Something that the plugin does outside of Kubernetes.
struct plugin_effect {
  std::string name;
  std::string payload;  ///< JSON; may be empty
};
using plan_step =
    std::variant<create_once, patch_existing, delete_object, status_swap, plugin_effect>;

/// The fail_reason of a terminal plan or effect out of which an exception came.
inline constexpr std::string_view threw_reason = "PluginThrew";

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
  /// In order, each only after the one before is known to have happened. The apply set is one step
  /// and comes after the first `steps_before_apply_set` of these.
  std::vector<plan_step> steps;
  std::size_t steps_before_apply_set = 0;
  std::optional<std::string> status_json;
  std::vector<condition> conditions;
  std::vector<plan_event> events;
  std::optional<std::chrono::milliseconds> requeue_after;
  /// Of a deletion: nothing is left to be done once the steps of this plan have happened.
  bool finished = false;
  /// What the plan knew from outside of Kubernetes, JSON, for its effects; null: nothing.
  std::shared_ptr<const std::string> observation = nullptr;
};

/// How long observe() may take, as it is told. What takes longer meets the deadline of the child or
/// of the reconcile.
inline constexpr std::chrono::milliseconds observe_limit{5000};
/// An effect is told to return within this, or within what is left of its reconcile.
inline constexpr std::chrono::seconds effect_limit{30};

/// One effect whose turn has come. The pointers outlive the call.
struct effect_input {
  const controller_spec* spec = nullptr;
  cache::object_key key;
  cache::object_ptr primary;
  plugin_effect what;
  std::shared_ptr<const std::string> observation = nullptr;  ///< that its plan saw
  std::chrono::milliseconds time_left{0};
  /// Asked just before the plugin is called; null: there is no election.
  const kube::write_gate* gate = nullptr;
  log_context_ptr log = nullptr;
  live_reads* reads = nullptr;  ///< null: none
};

/// What an effect came to.
struct effect_output {
  plan_verdict verdict = plan_verdict::done;
  std::string reason;
  std::string message;
  /// The plugin was not called, because of this.
  std::optional<error> not_started = {};
};

/// Thread: worker threads of the plugin's lane; one call at a time per key.
class reconciler {
 public:
  virtual ~reconciler() = default;
  /// Never throws: whatever goes wrong inside is a verdict with reason and message.
  [[nodiscard]] virtual plan_output plan(const plan_input& input) = 0;
  /// Does what a plan recorded. Never throws. Not called while a plan or another effect of the key
  /// is under way.
  [[nodiscard]] virtual effect_output effect(const effect_input& input) {
    return {plan_verdict::terminal,
            "UnknownEffect",
            "expected no effect of this plugin, found " + input.what.name,
            {}};
  }
  /// Where the code lies that plan() and effect() call; empty: not in this process. Thread: any.
  [[nodiscard]] virtual code_range code() const { return {}; }
};

}  // namespace oarlock::controller
