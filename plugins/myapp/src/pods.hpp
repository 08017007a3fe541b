#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "plan.hpp"

namespace myapp {

/// Why a pod cannot run, in the kubelet's words.
struct pod_trouble {
  std::string reason;   ///< "ImagePullBackOff"
  std::string message;  ///< "pod web-6f5-x2b: Back-off pulling image ..."
  /// When a pod that was just restarted is to be looked at again; absent: changes tell.
  std::optional<std::chrono::milliseconds> look_again;
};

/// What keeps the pods of the current rollout from running, or nothing. Counted are the pods that
///  - belong to a ReplicaSet of the MyApp's Deployment (owner <name>-<pod-template-hash>), so that
///  a
///    foreign pod with the same labels says nothing about this MyApp;
///  - are not being deleted and have not ended (evicted pods stay around);
///  - run the wanted image, and among those have the pod-template-hash of the youngest pod: pods of
///    an older template are being replaced anyway. (Where an admission webhook rewrites images none
///    is left, and only the Deployment's own deadline tells.)
/// Of several pods in trouble the first by name is told, so that the answer does not flicker.
[[nodiscard]] std::optional<pod_trouble> trouble_of_pods(const input& in);

}  // namespace myapp
