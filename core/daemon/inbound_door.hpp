#pragma once
// The listener for requests of pods, on a loop, a thread and a connection of its own.
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "core/controller/reconciler.hpp"
#include "core/daemon/health.hpp"
#include "core/daemon/loop_thread.hpp"
#include "core/daemon/options.hpp"
#include "core/inbound/authority.hpp"
#include "core/inbound/inbound_server.hpp"
#include "core/kube/connect.hpp"

namespace oarlock::daemon {

/// Thread: main, unless it says otherwise.
class inbound_door {
 public:
  using endpoint = std::shared_ptr<const controller::inbound_endpoint>;
  struct parts {
    const clock* clock_source = nullptr;
    timers* timer_source = nullptr;
    metric_registry* metrics = nullptr;
    std::string host_name;
    std::function<result<kube::connection>(executor)> connect;
    /// Whether this process leads. Called on the door's loop, as the next two.
    std::function<bool()> leads;
    /// Has a plugin take a request; the answer may come on any thread, or never.
    std::function<void(std::string plugin, plugin::inbound_request,
                       std::function<void(plugin::inbound_answer)>)>
        ask;
    /// How pods reach it, when that is known or changes.
    std::function<void(endpoint)> publish;
  };
  /// `o.inbound` is set.
  inbound_door(const options& o, parts p);
  ~inbound_door();
  inbound_door(const inbound_door&) = delete;
  inbound_door& operator=(const inbound_door&) = delete;

  [[nodiscard]] result<> connect();
  /// Starts the thread, which opens as soon as there is a certificate.
  void start();
  /// Waits until it is open, so long at most.
  void await_open(duration most);
  /// For /readyz. Thread: any.
  [[nodiscard]] check state() const;
  void stop();

 private:
  static task<> keep(inbound_door* self, std::stop_token stop);
  [[nodiscard]] task<result<>> refresh(std::stop_token stop);
  [[nodiscard]] result<> use_files();
  [[nodiscard]] task<result<>> use_authority(std::stop_token stop);
  [[nodiscard]] result<> open(std::shared_ptr<metrics::server_tls> tls);
  void say(const std::string& ca_pem);
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::string host() const;
  [[nodiscard]] std::string audience() const;

  const options o_;
  const parts p_;
  loop_thread loop_{"oarlock-inbound"};
  kube::connection api_;
  std::unique_ptr<kube::client> client_;
  // On the loop.
  std::shared_ptr<metrics::authority_tls> issued_;
  std::string signer_pem_;
  std::unique_ptr<inbound::inbound_server> server_;
  controller::inbound_endpoint said_;
  std::stop_source stopping_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  std::string trouble_ = "no certificate yet";
};

}  // namespace oarlock::daemon
