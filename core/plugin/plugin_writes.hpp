#pragma once
// What a plugin may write, in front of its client: what its manifest declares, where the daemon
// works, and no faster than its quota. RBAC says the same of the first two, later and elsewhere.
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/timers.hpp"
#include "core/kube/write_policy.hpp"
#include "core/plugin/manifest.hpp"
#include "core/plugin/quota.hpp"

namespace oarlock::plugin {

/// 0 everywhere: no limit.
struct write_quota {
  std::uint64_t per_second = 500;  ///< sustained
  std::uint64_t burst = 1000;      ///< at once after a quiet time
  std::uint64_t in_flight = 24;

  [[nodiscard]] static write_quota of(const plugin_quota& q) {
    return {q.writes_per_second, 2 * q.writes_per_second, q.writes_in_flight};
  }
};

/// Thread: the client's loop. A write outside the manifest is kube_error::not_declared, logged and
/// counted; one that its quota would hold longer than its deadline is kube_error::over_quota.
class plugin_writes final : public kube::write_policy {
 public:
  struct parts {
    const clock* clock_source;
    timers* timer_source;
    metric_registry* metrics;
    std::string scope_ns;  ///< the only namespace that is written in; empty: all
    write_quota quota;
  };
  plugin_writes(const manifest& declared, parts p);
  ~plugin_writes() override;
  plugin_writes(const plugin_writes&) = delete;
  plugin_writes& operator=(const plugin_writes&) = delete;

  [[nodiscard]] task<result<std::shared_ptr<void>>> admit(kube::write_intent what,
                                                          steady_time deadline,
                                                          std::stop_token stop) override;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::plugin
