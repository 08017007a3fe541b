#pragma once
// The controller of Plugin objects: from `kubectl apply` to a plugin that runs, its upgrades and
// its end. It writes nothing but the status (and, where its objects have finalizers, the finalizer)
// of Plugins, and events. README.md has the states.
#include <filesystem>
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/timers.hpp"
#include "core/cache/informer_cache.hpp"
#include "core/controller/events.hpp"
#include "core/kube/client.hpp"
#include "core/kube/exec_plugin.hpp"
#include "core/package/plugin_runner.hpp"

namespace oarlock::package {

/// Thread: the stream loop.
class plugin_controller {
 public:
  struct parts {
    executor loop;
    executor worker;             ///< where files may be read and hashed
    kube::client::parts daemon;  ///< its own identity, behind the write gate
    net::transport* anonymous;   ///< sends no identity but the token that it is given
    cache::informer_cache* cache;
    controller::event_recorder* events;
    plugin_runner* runner;
    kube::exec_runner programs;
    std::string runtime;                 ///< whose Plugins these are
    std::string ns;                      ///< of ServiceAccounts and pull secrets
    std::string scope_ns;                ///< of a daemon with --namespace
    std::filesystem::path store;         ///< of verified images
    std::filesystem::path work;          ///< of unpacked ones; this process's own
    std::filesystem::path image_policy;  ///< file; empty: no image passes
  };
  /// All parts outlive stop() and everything that runs on the loop.
  explicit plugin_controller(parts p);
  ~plugin_controller();
  plugin_controller(const plugin_controller&) = delete;
  plugin_controller& operator=(const plugin_controller&) = delete;

  void start();
  /// From now on this process decides what tags mean and writes status.
  void lead();
  void follow();
  /// Takes no more work; what is under way is not waited for. What runs goes on running.
  void stop();
  /// stop(), and waits for its writes that are under way: nothing of it needs the lease any more.
  [[nodiscard]] task<> drain();
  /// Why it does not hear of Plugins; empty: it does.
  [[nodiscard]] std::string trouble() const;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::package
