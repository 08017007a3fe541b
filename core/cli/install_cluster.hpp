#pragma once
// The calls of `oarlock plugin install|uninstall` to a cluster, with the rights of whoever types
// them. Blocks.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/base/asio_timers.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/system_clock.hpp"
#include "core/kube/client.hpp"
#include "core/kube/connect.hpp"

namespace oarlock::cli {

class install_cluster {
 public:
  /// `kubeconfig` as --kubeconfig has it; empty: KUBECONFIG, in-cluster, home.
  [[nodiscard]] static result<std::unique_ptr<install_cluster>> open(const std::string& kubeconfig);

  [[nodiscard]] kube::client& client() { return *client_; }
  /// Runs a call to its end.
  template <class T>
  [[nodiscard]] T call(task<T> work) {
    std::optional<T> out;
    boost::asio::co_spawn(io_, std::move(work), [&](std::exception_ptr e, T value) {
      if (e) std::rethrow_exception(e);
      out.emplace(std::move(value));
      io_.stop();
    });
    io_.restart();
    io_.run();
    return std::move(*out);
  }
  void pause(std::chrono::milliseconds how_long);
  [[nodiscard]] steady_time now() const { return clock_.now(); }

 private:
  boost::asio::io_context io_{1};
  system_clock clock_;
  asio_timers timers_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  kube::connection api_;
  std::unique_ptr<kube::client> client_;
};

}  // namespace oarlock::cli
