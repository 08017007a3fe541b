#include "pods.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace myapp {

using oarlock::sdk::object;
using oarlock::sdk::plan_input;
using oarlock::sdk::json::node;

namespace {

constexpr std::size_t message_bytes_max = 1024;
// A container that crashed before and runs for less than this is not believed yet: otherwise
// Stalled would go away and come back with each restart.
constexpr std::int64_t restart_trust_ms = 30'000;
constexpr std::int64_t restarts_before_distrust = 2;

bool is_stuck(std::string_view waiting_reason) {
  static constexpr std::array<std::string_view, 11> reasons = {
      "ErrImagePull",      "ImagePullBackOff",           "InvalidImageName",
      "ErrImageNeverPull", "ImageInspectError",          "RegistryUnavailable",
      "CrashLoopBackOff",  "CreateContainerConfigError", "CreateContainerError",
      "RunContainerError", "PreCreateHookError"};
  return std::find(reasons.begin(), reasons.end(), waiting_reason) != reasons.end();
}

std::string_view template_hash(const object& pod) {
  return pod.label("pod-template-hash");
}

bool is_of_deployment(const object& pod, std::string_view name) {
  const std::string replica_set = std::string(name).append("-").append(template_hash(pod));
  for (const node owner : pod.metadata()["ownerReferences"]) {
    if (owner["kind"].text() == "ReplicaSet" && owner["name"].text() == replica_set) return true;
  }
  return false;
}

bool runs(const object& pod, std::string_view image) {
  for (const node container : pod["spec"]["containers"]) {
    if (container["image"].text() == image) return true;
  }
  return false;
}

bool has_ended(const object& pod) {
  const std::string_view phase = pod["status"]["phase"].text();
  return pod.deleting() || phase == "Succeeded" || phase == "Failed";
}

std::vector<const object*> current_pods(const plan_input& input, std::string_view name,
                                        std::string_view image) {
  std::vector<const object*> pods;
  for (const object& pod : input.watched()) {
    if (pod.resource() != "pods" || pod.ns() != input.ns() || has_ended(pod)) continue;
    if (is_of_deployment(pod, name) && runs(pod, image)) pods.push_back(&pod);
  }
  const auto created = [](const object* pod) {
    return pod->metadata()["creationTimestamp"].text();
  };
  const auto youngest = std::max_element(pods.begin(), pods.end(),
                                         [&](auto* a, auto* b) { return created(a) < created(b); });
  if (youngest != pods.end()) {
    const std::string_view hash = template_hash(**youngest);
    std::erase_if(pods, [&](const object* pod) { return template_hash(*pod) != hash; });
  }
  std::sort(pods.begin(), pods.end(), [](auto* a, auto* b) { return a->name() < b->name(); });
  return pods;
}

std::string exit_text(node terminated) {
  std::string text = "exit code " + std::to_string(terminated["exitCode"].integer());
  if (const auto reason = terminated["reason"].text(); !reason.empty()) {
    text.append(" (").append(reason).append(")");
  }
  return text;
}

// The end of the last run, when this container keeps crashing and cannot be trusted to run now.
node last_crash(node container, std::int64_t now_unix_ms) {
  const node state = container["state"];
  const std::int64_t restarts = container["restartCount"].integer();
  if (state["terminated"].exists()) return restarts > 0 ? state["terminated"] : node{};
  if (restarts < restarts_before_distrust) return {};
  const auto started = oarlock::sdk::to_unix_ms(state["running"]["startedAt"].text());
  if (!started || now_unix_ms - *started >= restart_trust_ms) return {};
  return container["lastState"]["terminated"];
}

std::optional<pod_trouble> trouble_of(const object& pod, node container, std::int64_t now_unix_ms) {
  const node waiting = container["state"]["waiting"];
  std::string text = "pod " + std::string(pod.name()) + ": ";
  if (is_stuck(waiting["reason"].text())) {
    const std::string reason(waiting["reason"].text());
    text.append(waiting["message"].text(reason));
    const node ended = container["lastState"]["terminated"];
    if (ended.exists()) text.append("; last run ended with ").append(exit_text(ended));
    return pod_trouble{reason, oarlock::sdk::shorten(text, message_bytes_max), std::nullopt};
  }
  const node crash = last_crash(container, now_unix_ms);
  if (!crash.exists()) return std::nullopt;
  text.append("restarted " + std::to_string(container["restartCount"].integer()) +
              " times; last run ended with " + exit_text(crash));
  return pod_trouble{"CrashLoopBackOff", oarlock::sdk::shorten(text, message_bytes_max),
                     restart_trust_ms};
}

}  // namespace

std::optional<pod_trouble> trouble_of_pods(const plan_input& input, std::string_view name,
                                           std::string_view image) {
  for (const object* pod : current_pods(input, name, image)) {
    for (const std::string_view list : {"initContainerStatuses", "containerStatuses"}) {
      for (const node container : (*pod)["status"][list]) {
        if (auto found = trouble_of(*pod, container, input.now_unix_ms())) return found;
      }
    }
  }
  return std::nullopt;
}

}  // namespace myapp
