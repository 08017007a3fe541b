#pragma once
// Leader election on a coordination.k8s.io/v1 Lease, by client-go's rules (tools/leaderelection):
// the record format, the timings and the expiry judged by local observation on a monotonic clock.
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/random.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/kube/client.hpp"

namespace oarlock::election {

/// Until when this process may start writes, on the monotonic clock: renew time + renew deadline
/// minus a margin. Any thread asks it before each write; only the elector moves it.
class write_window final : public kube::write_gate {
 public:
  /// `limit_ns` outlives it, says for all who look what limit() says, and is written here only;
  /// null: it has its own.
  explicit write_window(const clock& clock_source, std::atomic<std::int64_t>* limit_ns = nullptr);
  [[nodiscard]] result<> check() const override;
  [[nodiscard]] steady_time limit() const override;
  void open_until(steady_time limit);
  void close();
  /// Never closes: for --leader-elect=false.
  void open_forever();

 private:
  const clock& clock_;
  std::atomic<std::int64_t> own_ns_{0};
  std::atomic<std::int64_t>& limit_ns_;
};

/// renew_deadline / write_margin_divisor before the renew deadline no write may start any more.
inline constexpr int write_margin_divisor = 5;

struct elector_config {
  std::string lease_name;
  std::string lease_namespace;
  std::string identity;                                ///< unique per process
  duration lease_duration = std::chrono::seconds(15);  ///< others see whole seconds
  duration renew_deadline = std::chrono::seconds(10);
  duration retry_period = std::chrono::seconds(2);
};

/// Thread: its loop (that of lease and probes, not the stream loop), unless a method says
/// otherwise.
class elector {
 public:
  struct parts {
    kube::client* client;  ///< with a connection of its own; no write gate
    const clock* clock_source;
    timers* timer_source;
    random_source* random;
    metric_registry* metrics;
    write_window* window;
    std::function<void()> on_started_leading;
    std::function<void()> on_stopped_leading;
  };
  elector(elector_config config, parts p);
  ~elector();

  /// Stands until `stop`: acquires, renews, steps down when the renew deadline passes, stands
  /// again. At its end the window is closed and on_stopped_leading has run, if this process led.
  task<> run(std::stop_token stop);
  /// Gives the lease up so that another takes over at once. Only after all guarded work has ended
  /// and run() has returned. Tries for at most half the renew deadline.
  task<> release();
  /// Thread: any.
  [[nodiscard]] bool leading() const;
  /// Who holds the lease, as last seen; empty when nobody. Thread: any.
  [[nodiscard]] std::string holder() const;
  /// Whose lease this process took, the last time that it began to lead, when that one had not
  /// given it up: it died, or could not reach the API server. Empty otherwise. Thread: any.
  [[nodiscard]] std::string left_by() const;
  /// When the last successful renewal was sent, while leading; for the liveness probe. Thread: any.
  [[nodiscard]] std::optional<steady_time> renewed_at() const;
  /// What the last attempt failed with; empty when it worked. Thread: any.
  [[nodiscard]] std::string trouble() const;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::election
