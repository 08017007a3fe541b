#include "plan.hpp"

#include <chrono>
#include <string>

#include "oarlock/k8s/apps/v1.hpp"
#include "pods.hpp"

namespace myapp {

namespace sdk = oarlock::sdk;
using oarlock::k8s::apps::v1::deployment;
using phase_name = example_com::v1alpha1::my_app_types::status_phase;

namespace {

// How far the Deployment is. Counts that the API server leaves out are 0.
struct rollout {
  std::int32_t replicas = 0;
  std::int32_t ready = 0;
  std::int32_t updated = 0;
  bool exists = false;
  bool is_as_wished = false;  // the spec in the cluster is the one that this plan wants
  bool is_observed = false;   // its status is about that spec
  bool is_finished = false;   // no pod of an older template, none missing
};

struct verdict {
  phase_name phase;
  std::string reason;
  std::string message;
};

// Capabilities are left alone and root is allowed: images in wide use (nginx) need CHOWN and SETUID
// at their start. A namespace that enforces more says so, and that shows in Stalled.
deployment deployment_for(const std::string& name, const my_app& app) {
  deployment wanted;
  wanted.metadata->name = name;
  wanted.metadata->labels = {{"app", name}};
  wanted.spec->replicas = app.spec->replicas;
  wanted.spec->selector->match_labels = {{"app", name}};
  auto& pods = *wanted.spec->template_;
  pods.metadata->labels = {{"app", name}, {"app.kubernetes.io/managed-by", "oarlock"}};
  pods.spec->security_context->seccomp_profile->type = "RuntimeDefault";
  auto& container = pods.spec->containers.emplace_back();
  container.name = "app";
  container.image = app.spec->image;
  container.security_context->allow_privilege_escalation = false;
  return wanted;
}

bool is_as_wished(const deployment& found, const my_app& app) {
  if (found.spec->replicas.value_or(1) != app.spec->replicas) return false;
  for (const auto& container : found.spec->template_->spec->containers) {
    if (container.name == "app") return container.image == app.spec->image;
  }
  return false;
}

rollout rollout_of(const deployment* found, const my_app& app) {
  if (found == nullptr || found->metadata->deletion_timestamp) return {};
  const auto& status = *found->status;
  const std::int64_t generation = found->metadata->generation.value_or(0);
  rollout r;
  r.exists = true;
  r.replicas = status.replicas.value_or(0);
  r.ready = status.ready_replicas.value_or(0);
  r.updated = status.updated_replicas.value_or(0);
  r.is_as_wished = is_as_wished(*found, app);
  r.is_observed = (status.observed_generation || status.ready_replicas) &&
                  status.observed_generation.value_or(generation) >= generation;
  // Kubernetes leaves out a count of 0: an absent updatedReplicas means "none yet" when a
  // Deployment controller is at work (it always sets conditions), and "not reported" otherwise.
  const bool counts = status.updated_replicas || !status.conditions.empty();
  r.is_finished = !counts || (r.updated == app.spec->replicas && r.replicas == r.updated);
  return r;
}

std::string of_wanted(std::int32_t count, const my_app& app) {
  return std::to_string(count) + " of " + std::to_string(*app.spec->replicas) + " replicas are ";
}

// What the Deployment controller itself gives up on.
std::optional<verdict> stuck_deployment(const deployment& found) {
  const auto& conditions = found.status->conditions;
  const auto stuck = [&](const char* type, const char* fallback, const std::string& what) {
    const auto* why = sdk::find_condition(conditions, type);
    return verdict{phase_name::stalled, why->reason.value_or(fallback),
                   "Deployment " + what + ": " + why->message.value_or("")};
  };
  if (sdk::is_condition(conditions, "ReplicaFailure")) {
    return stuck("ReplicaFailure", "ReplicaFailure", "cannot create pods");
  }
  if (sdk::is_condition(conditions, "Progressing", "False")) {
    return stuck("Progressing", "NotProgressing", "makes no progress");
  }
  return std::nullopt;
}

// It was Ready in this very generation before: then missing pods are a loss, not a beginning.
bool was_ready(const my_app& app) {
  return app.status->observed_generation.value_or(0) == app.metadata->generation.value_or(0) &&
         (app.status->phase == phase_name::ready || app.status->phase == phase_name::degraded);
}

verdict judge(const input& in, const rollout& r) {
  const my_app& app = in.primary();
  if (const auto failed = in.last_failure(); failed && !r.is_as_wished) {
    return {r.exists ? phase_name::progressing : phase_name::pending, std::string(failed->reason),
            std::string(failed->step).append(": ").append(failed->message)};
  }
  // One text for all of it, so that a change of the spec is one write of the status until the
  // Deployment has something to tell.
  if (!r.exists || !r.is_as_wished || !r.is_observed) {
    return {r.replicas > 0 ? phase_name::progressing : phase_name::pending, "DeploymentNotObserved",
            "Deployment " + std::string(in.name()) + " does not report about its newest spec yet"};
  }
  const std::string ready = of_wanted(r.ready, app) + "ready";
  if (!r.is_finished) {
    return {
        phase_name::progressing, "RolloutInProgress",
        of_wanted(r.updated, app) + "updated, " + std::to_string(r.replicas) + " exist; " + ready};
  }
  if (r.ready == app.spec->replicas) return {phase_name::ready, "AllReplicasReady", ready};
  return {was_ready(app) ? phase_name::degraded : phase_name::progressing, "ReplicasUnavailable",
          ready};
}

void tell_conditions(const verdict& v, bool is_after_failure, output& out) {
  if (v.phase == phase_name::ready) return out.ready(v.reason, v.message);
  if (v.phase == phase_name::stalled) return out.stalled(v.reason, v.message);
  if (is_after_failure) return out.not_ready(v.reason, v.message);
  out.reconciling(v.reason, v.message);
}

// Only turns are told; they show against the status that was written last.
void tell_events(const my_app& app, const verdict& v, output& out) {
  const bool was_ready = sdk::is_condition(app.status->conditions, "Ready");
  const bool was_stalled = sdk::is_condition(app.status->conditions, "Stalled");
  if (v.phase == phase_name::ready && !was_ready) out.normal_event("Ready", v.message);
  if (v.phase == phase_name::stalled && !was_stalled) out.warning_event(v.reason, v.message);
  if (v.phase == phase_name::degraded && was_ready) out.warning_event("Degraded", v.message);
}

}  // namespace

void plan(const input& in, output& out) {
  const my_app& app = in.primary();
  const std::string name(in.name());
  if (app.spec->replicas < 0) {
    throw sdk::terminal_error(
        "InvalidSpec", "expected spec.replicas >= 0, found " + std::to_string(*app.spec->replicas));
  }
  out.apply(deployment_for(name, app));

  const deployment* found = in.owned<deployment>(name);
  const rollout r = rollout_of(found, app);
  verdict v = judge(in, r);
  // Pods and the Deployment's own complaints count once they are about what is wanted now.
  if (v.phase != phase_name::ready && r.is_as_wished) {
    if (const auto trouble = trouble_of_pods(in)) {
      v = {phase_name::stalled, trouble->reason, trouble->message};
      if (trouble->look_again) out.requeue_after(*trouble->look_again);
    } else if (r.is_observed) {
      if (auto stuck = stuck_deployment(*found)) v = std::move(*stuck);
    }
  }

  my_app::status_type status;
  status.phase = v.phase;
  status.replicas = r.replicas;
  status.ready_replicas = r.ready;
  status.updated_replicas = r.updated;
  status.selector = "app=" + name + ",app.kubernetes.io/managed-by=oarlock";
  out.status(status);
  tell_conditions(v, in.last_failure() && !r.is_as_wished, out);
  tell_events(app, v, out);
}

}  // namespace myapp
