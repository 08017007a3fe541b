#pragma once
#include <memory>

#include "core/base/clock.hpp"
#include "core/base/timers.hpp"
#include "core/kube/client.hpp"
#include "core/kube/kubeconfig.hpp"
#include "core/net/client_transport.hpp"

namespace oarlock::kube {

/// A transport and an identity for one cluster. Certificates and tokens in files are read again:
/// certificates with each new connection, the token at most once a minute. A credential plugin runs
/// when the first request needs it. `metrics`, which may be null, outlives it.
struct connection {
  std::unique_ptr<net::transport> transport;
  std::shared_ptr<credentials> identity;
};
[[nodiscard]] result<connection> connect(executor loop, const clock& clock_source,
                                         timers& timer_source, const cluster_config& config,
                                         metric_registry* metrics = nullptr);

}  // namespace oarlock::kube
