#pragma once
// As whom one plugin talks to the API server, and whether it may: its client, its events, and a
// review of its rights that is repeated.
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "core/controller/events.hpp"
#include "core/daemon/options.hpp"
#include "core/kube/client.hpp"
#include "core/plugin/manifest.hpp"

namespace oarlock::daemon {

/// Thread: the stream loop. Must outlive every request of its client.
class plugin_access {
 public:
  struct parts {
    kube::client::parts daemon;  ///< the daemon's own identity, behind the write gate
    net::transport* anonymous;   ///< sends no identity but the token it is given; else null
    std::string instance;        ///< the pod or host, for events
  };
  /// `path` is what --plugin said: it goes into the remedy.
  plugin_access(const plugin::manifest& declared, const options& o, std::string path, parts p);
  ~plugin_access();
  plugin_access(const plugin_access&) = delete;
  plugin_access& operator=(const plugin_access&) = delete;

  [[nodiscard]] kube::client& client();
  [[nodiscard]] controller::event_recorder& events();
  /// Why the plugin may not work: no token, or a kind that it may not read, and what to apply.
  /// Empty: it may. With the daemon's identity always empty: the watches say what is forbidden.
  [[nodiscard]] const std::string& trouble() const;
  /// Reviews until `stop`: every 2 minutes, every 5 s while there is trouble; `changed` is told
  /// each time that trouble comes or goes. Returns at once with the daemon's identity.
  [[nodiscard]] task<> watch(std::stop_token stop, std::function<void()> changed);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::daemon
