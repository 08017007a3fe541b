#include "core/controller/controller_metrics.hpp"

#include "core/controller/work_queue.hpp"

namespace oarlock::controller {

namespace {

metric_labels with_result(const controller_spec& spec, const char* result) {
  return {{"controller", spec.name}, {"plugin", spec.plugin}, {"result", result}};
}
metric_labels of_controller(const controller_spec& spec) {
  return {{"controller", spec.name}, {"plugin", spec.plugin}};
}
metric_labels of_queue(const controller_spec& spec) {
  return {{"name", spec.name}, {"controller", spec.name}, {"plugin", spec.plugin}};
}

metric_labels of_depth(const controller_spec& spec, priority p) {
  auto labels = of_queue(spec);
  labels["priority"] = std::to_string(static_cast<int>(p));
  return labels;
}

// controller-runtime's buckets of reconcile_time_seconds.
const std::vector<double> reconcile_buckets{
    0.005, 0.01, 0.025, 0.05, 0.1,  0.15, 0.2,  0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6,
    0.7,   0.8,  0.9,   1.0,  1.25, 1.5,  1.75, 2.0,  2.5, 3.0,  3.5, 4.0,  4.5, 5,
    6,     7,    8,     9,    10,   15,   20,   25,   30,  40,   50,  60};
// client-go's: ExponentialBuckets(10e-9, 10, 12).
const std::vector<double> queue_buckets{1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3,
                                        1e-2, 1e-1, 1,    10,   100,  1000};

counter& total(metric_registry& r, const controller_spec& s, const char* result) {
  return r.make_counter("controller_runtime_reconcile_total",
                        "Total number of reconciliations per controller", with_result(s, result));
}

}  // namespace

controller_metrics::controller_metrics(metric_registry& r, const controller_spec& s)
    : succeeded(total(r, s, "success")),
      failed(total(r, s, "error")),
      requeued(total(r, s, "requeue_after")),
      errors(r.make_counter("controller_runtime_reconcile_errors_total",
                            "Total number of reconciliation errors per controller",
                            of_controller(s))),
      terminal_errors(r.make_counter("controller_runtime_terminal_reconcile_errors_total",
                                     "Total number of terminal reconciliation errors",
                                     of_controller(s))),
      panics(r.make_counter("controller_runtime_reconcile_panics_total",
                            "Total number of exceptions out of a reconcile, of core or plugin",
                            of_controller(s))),
      timeouts(r.make_counter("controller_runtime_reconcile_timeouts_total",
                              "Total number of reconciles past their deadline", of_controller(s))),
      reconcile_seconds(r.make_histogram("controller_runtime_reconcile_time_seconds",
                                         "Length of time per reconciliation per controller",
                                         of_controller(s), reconcile_buckets)),
      active_workers(r.make_gauge("controller_runtime_active_workers",
                                  "Number of reconciles under way", of_controller(s))),
      concurrency_max(r.make_gauge("controller_runtime_max_concurrent_reconciles",
                                   "Maximum number of concurrent reconciles", of_controller(s))),
      depth(r.make_gauge("workqueue_depth", "Current depth of the queue",
                         of_depth(s, priority::normal))),
      low_depth(r.make_gauge("workqueue_depth", "Current depth of the queue",
                             of_depth(s, priority::low))),
      adds(r.make_counter("workqueue_adds_total", "Total number of adds handled by the queue",
                          of_queue(s))),
      retries(r.make_counter("workqueue_retries_total", "Total number of retries of the queue",
                             of_queue(s))),
      queue_seconds(r.make_histogram("workqueue_queue_duration_seconds",
                                     "How long a key stays in the queue before it is taken",
                                     of_queue(s), queue_buckets)),
      work_seconds(r.make_histogram("workqueue_work_duration_seconds",
                                    "How long the work on a key takes", of_queue(s),
                                    queue_buckets)),
      unfinished_seconds(r.make_gauge("workqueue_unfinished_work_seconds",
                                      "Seconds of work in progress that work_duration has not seen",
                                      of_queue(s))),
      longest_seconds(r.make_gauge("workqueue_longest_running_processor_seconds",
                                   "Seconds that the longest running reconcile has run for",
                                   of_queue(s))),
      stale_skips(r.make_counter("oarlock_stale_cache_skips_total",
                                 "Reconciles put off because the cache had not seen own writes",
                                 of_controller(s))),
      registry_(&r),
      labels_(of_controller(s)) {
  total(r, s, "requeue");  // there, and 0: an outcome that this queue does not have
  concurrency_max.set(static_cast<double>(s.max_concurrent_reconciles));
}

// Made at the first effect: most plugins have none.
void controller_metrics::effect_ended(const char* result, duration took) const {
  auto labels = labels_;
  registry_
      ->make_histogram("oarlock_effect_duration_seconds",
                       "How long effects of plugins take, with the wait for a thread", labels,
                       reconcile_buckets)
      .observe(seconds(took));
  labels["result"] = result;
  registry_->make_counter("oarlock_effect_total", "Effects of plugins that ended", labels).add();
}

}  // namespace oarlock::controller
