#pragma once
// What an API server serves: the aggregated discovery documents (apidiscovery.k8s.io/v2, served
// since Kubernetes 1.30).
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/task.hpp"
#include "core/kube/client.hpp"

namespace oarlock::kube {

struct api_kind {
  resource what;
  std::string singular;
  std::vector<std::string> short_names;
  std::vector<std::string> verbs;
  std::vector<std::string> subresources;
};

/// In the server's order: within a group, preferred versions first.
struct api_surface {
  std::vector<api_kind> kinds;
  /// "group/version" whose own server did not answer: what is known of it may be old.
  std::vector<std::string> stale;
};

/// Adds the kinds of one document. Unknown members are passed over, entries without a kind too.
[[nodiscard]] result<> parse_discovery(std::string_view body, api_surface& into);

/// Two requests, each with the client's retries and deadline. Thread: any.
[[nodiscard]] task<result<api_surface>> discover(client* from, std::stop_token stop);

}  // namespace oarlock::kube
