#pragma once
// Live reads of one reconcile: what plugin.yaml allows, as the plugin's own identity, kept nowhere.
#include <string>

#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/controller/reconciler.hpp"
#include "core/kube/client.hpp"

namespace oarlock::controller {

/// An object in etcd has at most 1.5 MiB.
inline constexpr std::size_t live_object_bytes_max = 1536U << 10U;

class key_reads final : public live_reads {
 public:
  struct parts {
    executor loop;
    kube::client* client;
    timers* timer_source;
    const clock* clock_source;
    const controller_spec* spec;
    cache::object_ptr primary;
    log_context_ptr log;
  };
  /// `until`: the deadline of the call that it is for.
  key_reads(parts p, steady_time until) : parts_(std::move(p)), until_(until) {}

  /// Thread: a worker's, which waits; never that of the loop.
  [[nodiscard]] live_object get(const std::string& resource, const std::string& name) override;

 private:
  [[nodiscard]] const kube::resource* allowed(const std::string& resource, const std::string& name,
                                              std::string& why) const;

  const parts parts_;
  const steady_time until_;
};

}  // namespace oarlock::controller
