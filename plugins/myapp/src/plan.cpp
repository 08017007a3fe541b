#include "plan.hpp"

#include <chrono>
#include <string>

#include "pods.hpp"

namespace myapp {

using oarlock::sdk::condition_status;
using oarlock::sdk::object;
using oarlock::sdk::plan_input;
using oarlock::sdk::plan_output;
using oarlock::sdk::terminal_error;
using oarlock::sdk::json::node;
namespace json = oarlock::sdk::json;

namespace {

struct wish {
  std::string name;
  std::int64_t replicas = 1;
  std::string image;
};

// How far the Deployment is. Counts that the API server leaves out are 0.
struct rollout {
  std::int64_t replicas = 0;
  std::int64_t ready = 0;
  std::int64_t updated = 0;
  bool exists = false;
  bool is_as_wished = false;  // the spec in the cluster is the one that this plan wants
  bool is_observed = false;   // its status is about that spec
  bool is_finished = false;   // no pod of an older template, none missing
};

struct verdict {
  const char* phase;
  std::string reason;
  std::string message;
  bool is_ready = false;
  bool is_stalled = false;
};

wish wish_of(const plan_input& input) {
  const node spec = input.primary()["spec"];
  wish w{std::string(input.name()), spec["replicas"].integer(1), std::string(spec["image"].text())};
  if (w.image.empty()) {
    throw terminal_error("InvalidSpec", "expected spec.image to name an image, found none");
  }
  if (w.replicas < 0) {
    throw terminal_error("InvalidSpec",
                         "expected spec.replicas >= 0, found " + std::to_string(w.replicas));
  }
  return w;
}

// Capabilities are left alone and root is allowed: images in wide use (nginx) need CHOWN and SETUID
// at their start. A namespace that enforces more says so, and that shows in Stalled.
json::value deployment_for(const wish& w) {
  const auto labels = json::object({{"app", w.name}, {"app.kubernetes.io/managed-by", "oarlock"}});
  const auto container = json::object({
      {"name", "app"},
      {"image", w.image},
      {"securityContext", json::object({{"allowPrivilegeEscalation", false}})},
  });
  const auto pod_security =
      json::object({{"seccompProfile", json::object({{"type", "RuntimeDefault"}})}});
  return json::object({
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata", json::object({{"name", w.name}, {"labels", json::object({{"app", w.name}})}})},
      {"spec", json::object({
                   {"replicas", w.replicas},
                   {"selector", json::object({{"matchLabels", json::object({{"app", w.name}})}})},
                   {"template", json::object({
                                    {"metadata", json::object({{"labels", labels}})},
                                    {"spec", json::object({
                                                 {"securityContext", pod_security},
                                                 {"containers", json::array({container})},
                                             })},
                                })},
               })},
  });
}

std::string_view image_of(const object& deployment) {
  for (const node container : deployment["spec"]["template"]["spec"]["containers"]) {
    if (container["name"].text() == "app") return container["image"].text();
  }
  return {};
}

rollout rollout_of(const object* deployment, const wish& w) {
  if (deployment == nullptr || deployment->deleting()) return {};
  const node status = (*deployment)["status"];
  rollout r;
  r.exists = true;
  r.replicas = status["replicas"].integer();
  r.ready = status["readyReplicas"].integer();
  r.updated = status["updatedReplicas"].integer();
  r.is_as_wished = (*deployment)["spec"]["replicas"].integer(1) == w.replicas &&
                   image_of(*deployment) == w.image;
  const node observed = status["observedGeneration"];
  const bool reports = observed.exists() || status["readyReplicas"].exists();
  r.is_observed = reports && observed.integer(deployment->generation()) >= deployment->generation();
  // Kubernetes leaves out a count of 0: an absent updatedReplicas means "none yet" when a
  // Deployment controller is at work (it always sets conditions), and "not reported" otherwise.
  const bool counts = status["updatedReplicas"].exists() || status["conditions"].size() > 0;
  r.is_finished = !counts || (r.updated == w.replicas && r.replicas == r.updated);
  return r;
}

std::string ready_text(const rollout& r, const wish& w) {
  return std::to_string(r.ready) + " of " + std::to_string(w.replicas) + " replicas are ready";
}

// What the Deployment controller itself gives up on.
std::optional<verdict> stuck_deployment(const object& deployment) {
  const node failure = deployment.condition("ReplicaFailure");
  if (failure["status"].text() == "True") {
    return verdict{"Stalled", std::string(failure["reason"].text("ReplicaFailure")),
                   "Deployment cannot create pods: " + std::string(failure["message"].text()),
                   false, true};
  }
  const node progress = deployment.condition("Progressing");
  if (progress["status"].text() == "False") {
    return verdict{"Stalled", std::string(progress["reason"].text("NotProgressing")),
                   "Deployment makes no progress: " + std::string(progress["message"].text()),
                   false, true};
  }
  return std::nullopt;
}

// It was Ready in this very generation before: then missing pods are a loss, not a beginning.
bool was_ready(const object& primary) {
  const node status = primary["status"];
  const std::string_view phase = status["phase"].text();
  return status["observedGeneration"].integer() == primary.generation() &&
         (phase == "Ready" || phase == "Degraded");
}

verdict judge_unready(const plan_input& input, const rollout& r, const wish& w) {
  if (!r.is_finished) {
    return {"Progressing", "RolloutInProgress",
            std::to_string(r.updated) + " of " + std::to_string(w.replicas) +
                " replicas are updated, " + std::to_string(r.replicas) + " exist; " +
                ready_text(r, w)};
  }
  return {was_ready(input.primary()) ? "Degraded" : "Progressing", "ReplicasUnavailable",
          ready_text(r, w)};
}

verdict judge(const plan_input& input, const rollout& r, const wish& w) {
  if (const auto failure = input.last_failure(); failure && !r.is_as_wished) {
    const std::string text = std::string(failure->step).append(": ").append(failure->message);
    return {r.exists ? "Progressing" : "Pending", std::string(failure->reason), text};
  }
  // One text for all of it, so that a change of the spec is one write of the status until the
  // Deployment has something to tell.
  if (!r.exists || !r.is_as_wished || !r.is_observed) {
    return {r.replicas > 0 ? "Progressing" : "Pending", "DeploymentNotObserved",
            "Deployment " + w.name + " does not report about its newest spec yet"};
  }
  if (r.is_finished && r.ready == w.replicas) {
    return {"Ready", "AllReplicasReady", ready_text(r, w), true};
  }
  return judge_unready(input, r, w);
}

void tell_status(const wish& w, const rollout& r, const verdict& v, plan_output& output) {
  output.status(json::object({
      {"phase", v.phase},
      {"replicas", r.replicas},
      {"readyReplicas", r.ready},
      {"updatedReplicas", r.updated},
      {"selector", "app=" + w.name + ",app.kubernetes.io/managed-by=oarlock"},
  }));
}

condition_status when(bool b) {
  return b ? condition_status::yes : condition_status::no;
}

// kstatus: Reconciling and Stalled are never True together. After a failed step the host says which
// of the two it is, so they are left to it.
void tell_conditions(const verdict& v, bool is_after_failure, plan_output& output) {
  output.condition("Ready", when(v.is_ready), v.reason, v.message);
  if (is_after_failure) return;
  output.condition("Reconciling", when(!v.is_ready && !v.is_stalled), v.reason, v.message);
  output.condition("Stalled", when(v.is_stalled), v.reason, v.message);
}

// Only turns are told; they show against the status that was written last.
void tell_events(const object& primary, const verdict& v, plan_output& output) {
  const auto was = [&](std::string_view type) {
    return primary.condition(type)["status"].text() == "True";
  };
  if (v.is_ready && !was("Ready")) output.normal_event("Ready", v.message);
  if (v.is_stalled && !was("Stalled")) output.warning_event(v.reason, v.message);
  if (std::string_view(v.phase) == "Degraded" && was("Ready")) {
    output.warning_event("Degraded", v.message);
  }
}

}  // namespace

void plan(const plan_input& input, plan_output& output) {
  const wish w = wish_of(input);
  output.apply(deployment_for(w));

  const object* deployment = input.owned("deployments.apps", w.name);
  const rollout r = rollout_of(deployment, w);
  verdict v = judge(input, r, w);
  // Pods and the Deployment's own complaints count once they are about what is wanted now.
  if (!v.is_ready && r.is_as_wished) {
    if (const auto trouble = trouble_of_pods(input, w.name, w.image)) {
      v = {"Stalled", trouble->reason, trouble->message, false, true};
      if (trouble->look_again_ms) {
        output.requeue_after(std::chrono::milliseconds(*trouble->look_again_ms));
      }
    } else if (r.is_observed) {
      if (auto stuck = stuck_deployment(*deployment)) v = std::move(*stuck);
    }
  }

  tell_status(w, r, v, output);
  tell_conditions(v, input.last_failure() && !r.is_as_wished, output);
  tell_events(input.primary(), v, output);
}

}  // namespace myapp
