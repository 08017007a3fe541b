#pragma once
// The client and the cache for a program of its own: real sockets, clock and timers behind the
// seams. oarlockd does not use it; it chooses its parts one by one.
#include <memory>

#include "core/cache/informer_cache.hpp"
#include "core/kube/client.hpp"
#include "core/kube/kubeconfig.hpp"

namespace oarlock::cache {

/// Lives on `loop`, which runs on one thread; destroy it there, after cache().stop() has ended.
class standalone {
 public:
  /// Finds the cluster as kubectl does. Sends nothing yet. Fails with what is wrong with the
  /// configuration.
  [[nodiscard]] static result<std::unique_ptr<standalone>> open(executor loop,
                                                                const kube::config_sources& from);
  ~standalone();
  standalone(const standalone&) = delete;
  standalone& operator=(const standalone&) = delete;

  [[nodiscard]] kube::client& client();
  [[nodiscard]] informer_cache& cache();
  [[nodiscard]] metric_registry& metrics();
  /// Waits until `view` has its first list; an error says why it has none after `limit`.
  [[nodiscard]] task<result<>> synced(const informer& view, duration limit);
  /// Waits until `view` has an object with this name, whatever its version.
  [[nodiscard]] task<result<object_ptr>> shown(const informer& view, object_key key,
                                               duration limit);

 private:
  struct state;
  explicit standalone(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace oarlock::cache
