#pragma once
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "core/kube/client.hpp"

namespace oarlock::kube {

/// The identity of a ServiceAccount through short-lived tokens (TokenRequest): asked for before the
/// first request, in the background when 80 % of the life that the server granted is over, and at
/// once after a 401. One request at a time; after a failure the next one waits 1 s, doubling to
/// 10 s, and until then the failure is the answer. A token that is still valid stays in use while
/// its successor cannot be had. Thread: the loop.
struct service_account_parts {
  executor loop;
  client* asks;  ///< may create serviceaccounts/token for the account; outlives all requests
  const clock* clock_source;
  std::string ns;
  std::string name;
};
[[nodiscard]] std::shared_ptr<credentials> make_service_account_identity(
    service_account_parts parts);

}  // namespace oarlock::kube
