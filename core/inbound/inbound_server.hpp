#pragma once
// The listener that pods talk to: who may, how often, how large; then the plugin.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/metric_registry.hpp"
#include "core/inbound/pod_review.hpp"
#include "core/metrics/http_server.hpp"
#include "core/plugin/inbound_call.hpp"

namespace oarlock::inbound {

/// /v1/<plugin>/<namespace>/<name>[/<rest>]
struct inbound_path {
  std::string plugin;
  std::string ns;
  std::string name;
  std::string rest;
};
/// nullopt: another path. Nothing is decoded: names of Kubernetes need no escapes, and `rest` is
/// printable ASCII, 512 bytes at most. Thread: any.
[[nodiscard]] std::optional<inbound_path> parse_path(std::string_view path);

/// Thread: the loop of its client. Destroy it before the loop.
class inbound_server {
 public:
  static constexpr std::size_t connections_max = 256;
  /// Requests of one pod a second, and at once after a pause.
  static constexpr double pod_rate = 5;
  static constexpr double pod_burst = 20;
  static constexpr std::size_t pods_max = 4096;
  /// Of all pods whose plugin is at work.
  static constexpr std::size_t under_way_max = 64;
  /// For followers: when a client may ask another replica.
  static constexpr std::chrono::seconds retry_after{2};

  struct parts {
    executor loop;
    kube::client* client = nullptr;
    const clock* clock_source = nullptr;
    metric_registry* metrics = nullptr;
    std::string audience;
    metrics::bind_address where;
    std::shared_ptr<metrics::server_tls> tls;
    /// Whether this process leads. Asked on the loop.
    std::function<bool()> leads;
    /// Has the plugin answer, in time. Awaited on the loop.
    std::function<task<plugin::inbound_answer>(std::string plugin, plugin::inbound_request)> ask;
  };
  explicit inbound_server(parts p);

  /// As http_server has them.
  [[nodiscard]] result<> start();
  [[nodiscard]] const metrics::bind_address& where() const { return server_.where(); }
  void stop() { server_.stop(); }

 private:
  // Shared with requests under way, which may outlive this object.
  struct state;
  std::shared_ptr<state> state_;
  metrics::http_server server_;
};

}  // namespace oarlock::inbound
