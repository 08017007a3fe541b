#include "pods.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "oarlock/k8s/core/v1.hpp"

namespace myapp {

namespace core = oarlock::k8s::core::v1;
using core::pod;

namespace {

constexpr std::size_t message_bytes_max = 1024;
// A container that crashed before and runs for less than this is not believed yet: otherwise
// Stalled would go away and come back with each restart.
constexpr std::chrono::milliseconds restart_trust{30'000};
constexpr std::int32_t restarts_before_distrust = 2;

bool is_stuck(std::string_view waiting_reason) {
  static constexpr std::array<std::string_view, 11> reasons = {
      "ErrImagePull",      "ImagePullBackOff",           "InvalidImageName",
      "ErrImageNeverPull", "ImageInspectError",          "RegistryUnavailable",
      "CrashLoopBackOff",  "CreateContainerConfigError", "CreateContainerError",
      "RunContainerError", "PreCreateHookError"};
  return std::find(reasons.begin(), reasons.end(), waiting_reason) != reasons.end();
}

std::string_view template_hash(const pod& p) {
  return p.metadata->label("pod-template-hash");
}

bool is_of_deployment(const pod& p, std::string_view name) {
  const std::string replica_set = std::string(name).append("-").append(template_hash(p));
  return std::ranges::any_of(p.metadata->owner_references, [&](const auto& owner) {
    return owner.kind == "ReplicaSet" && owner.name == replica_set;
  });
}

bool runs(const pod& p, const std::string& image) {
  return std::ranges::any_of(p.spec->containers,
                             [&](const auto& container) { return container.image == image; });
}

bool has_ended(const pod& p) {
  const auto& phase = p.status->phase;
  return p.metadata->deletion_timestamp || phase == "Succeeded" || phase == "Failed";
}

std::vector<const pod*> current_pods(const input& in) {
  auto pods = in.watched<pod>();
  std::erase_if(pods, [&](const pod* p) {
    return p->metadata->namespace_ != in.ns() || has_ended(*p) ||
           !is_of_deployment(*p, in.name()) || !runs(*p, in.primary().spec->image);
  });
  const auto youngest = std::ranges::max_element(
      pods, {}, [](const pod* p) { return p->metadata->creation_timestamp.text(); });
  if (youngest != pods.end()) {
    const std::string_view hash = template_hash(**youngest);
    std::erase_if(pods, [&](const pod* p) { return template_hash(*p) != hash; });
  }
  std::ranges::sort(pods, {}, [](const pod* p) { return p->metadata->name; });
  return pods;
}

std::string exit_text(const core::container_state_terminated& ended) {
  return "exit code " + std::to_string(ended.exit_code) +
         (ended.reason ? " (" + *ended.reason + ")" : "");
}

// The end of the last run, when this container keeps crashing and cannot be trusted to run now.
const core::container_state_terminated* last_crash(const core::container_status& container,
                                                   std::int64_t now_unix_ms) {
  if (container.state->terminated) {
    return container.restart_count > 0 ? container.state->terminated.get() : nullptr;
  }
  if (container.restart_count < restarts_before_distrust) return nullptr;
  const auto started = container.state->running->started_at.unix_ms();
  if (!started || now_unix_ms - *started >= restart_trust.count()) return nullptr;
  return container.last_state->terminated.get();
}

std::optional<pod_trouble> trouble_of(const pod& p, const core::container_status& container,
                                      std::int64_t now_unix_ms) {
  const auto& waiting = *container.state->waiting;
  std::string text = "pod " + p.metadata->name.value_or("") + ": ";
  if (is_stuck(waiting.reason.value_or(""))) {
    text += waiting.message.value_or(*waiting.reason);
    if (const auto* ended = container.last_state->terminated.get()) {
      text += "; last run ended with " + exit_text(*ended);
    }
    return pod_trouble{*waiting.reason, oarlock::sdk::shorten(text, message_bytes_max), {}};
  }
  const auto* crash = last_crash(container, now_unix_ms);
  if (crash == nullptr) return std::nullopt;
  text += "restarted " + std::to_string(container.restart_count) + " times; last run ended with " +
          exit_text(*crash);
  return pod_trouble{"CrashLoopBackOff", oarlock::sdk::shorten(text, message_bytes_max),
                     restart_trust};
}

}  // namespace

std::optional<pod_trouble> trouble_of_pods(const input& in) {
  for (const pod* p : current_pods(in)) {
    for (const auto* list : {&p->status->init_container_statuses, &p->status->container_statuses}) {
      for (const auto& container : *list) {
        if (auto found = trouble_of(*p, container, in.now_unix_ms())) return found;
      }
    }
  }
  return std::nullopt;
}

}  // namespace myapp
