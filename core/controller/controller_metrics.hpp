#pragma once
// The metrics of one controller, under controller-runtime's and client-go's names plus `plugin`.
#include <string>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/controller/spec.hpp"

namespace oarlock::controller {

struct controller_metrics {
  controller_metrics(metric_registry& registry, const controller_spec& spec);

  counter& succeeded;
  counter& failed;
  counter& requeued;
  counter& errors;
  counter& terminal_errors;
  counter& panics;
  counter& timeouts;
  histogram& reconcile_seconds;
  gauge& active_workers;
  gauge& concurrency_max;
  gauge& depth;      ///< of normal priority
  gauge& low_depth;  ///< what a start brought up
  counter& adds;
  counter& retries;
  histogram& queue_seconds;
  histogram& work_seconds;
  gauge& unfinished_seconds;  ///< of all keys that are worked on, together
  gauge& longest_seconds;     ///< of the one that takes longest
  counter& stale_skips;

  /// One effect is over. `result`: success, error, terminal, not_started.
  void effect_ended(const char* result, duration took) const;

 private:
  metric_registry* registry_;
  metric_labels labels_;
};

[[nodiscard]] inline double seconds(duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace oarlock::controller
