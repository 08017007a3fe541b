#pragma once
// From a token to the pod that it was made for: TokenReview, for an audience of our own.
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/task.hpp"
#include "core/kube/client.hpp"
#include "core/metrics/http_server.hpp"

namespace oarlock::inbound {

struct pod_identity {
  std::string ns;
  std::string service_account;
  std::string pod_name;
  std::string pod_uid;
};

/// What the API server's review comes to: a pod, or the refusal that the bearer gets.
struct reviewed {
  std::optional<pod_identity> pod = {};
  metrics::http_answer refusal = {};
};

/// The pod of a TokenReview that the API server has answered. Thread: any.
[[nodiscard]] reviewed read_review(std::string_view review_json, const std::string& audience);
/// When the token says that it ends; for one that the API server has accepted. Thread: any.
[[nodiscard]] std::optional<wall_time> end_of_token(std::string_view token);

/// Thread: the loop of its client.
class pod_review {
 public:
  static constexpr std::size_t entries_max = 4096;
  static constexpr std::size_t reviews_at_once_max = 16;
  /// For so long at most, and no longer than the token is valid, a pod that is gone is believed.
  static constexpr auto pod_time = std::chrono::seconds(120);
  static constexpr auto refused_time = std::chrono::seconds(10);

  /// Both outlive this object.
  pod_review(kube::client& client, const clock& clock_source, std::string audience);
  ~pod_review();

  /// 401 without a valid token for the audience, 403 for one that is no pod's, 503 when the API
  /// server could not be asked.
  task<reviewed> check(std::string authorization, std::stop_token stop);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::inbound
