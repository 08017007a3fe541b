/*
 * Extension "oarlock.metrics/1": the plugin's own metrics on the daemon's page. They are called
 * <plugin>_<name> and carry the label `plugin`; they go when the instance does. In a child they
 * reach the page within about a second, and a new child begins anew.
 */
#ifndef OARLOCK_EXT_METRICS_H
#define OARLOCK_EXT_METRICS_H

#include "oarlock/host.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_METRICS "oarlock.metrics/1"

typedef double oarlock_f64; /* IEEE 754 binary64 */

typedef int32_t oarlock_metric_kind;
enum { OARLOCK_METRIC_COUNTER = 1, OARLOCK_METRIC_GAUGE = 2, OARLOCK_METRIC_HISTOGRAM = 3 };

typedef struct oarlock_metric_view {
  uint32_t struct_size;
  oarlock_metric_kind kind;
  oarlock_str_view name; /* "queries_total": [a-z0-9_]; a counter ends in _total, nothing else
                            does, and nothing in _count, _sum, _bucket or _info */
  oarlock_str_view help; /* one sentence, not empty */
  const oarlock_str_view* labels; /* names, [a-z0-9_], without plugin, le and quantile */
  uint64_t label_count;
  const oarlock_f64* buckets; /* of a histogram: upper bounds, each above the one before */
  uint64_t bucket_count;      /* 0: 5 ms to 10 s, for seconds */
} oarlock_metric_view;

typedef struct oarlock_host_metrics {
  uint32_t struct_size;
  uint32_t reserved;

  /* Makes a metric; the same declaration gives the same one again. OARLOCK_INVALID: a name, label
   * or bucket is not as above, or the name is taken otherwise. OARLOCK_LIMIT: 200 of them.
   * [any-thread] [created] [since 0.5] */
  oarlock_status (*declare)(oarlock_host_ctx* ctx, const oarlock_metric_view* metric_view,
                            uint64_t* out_metric);

  /* The series with these values, in the order of the labels; it is on the page from now on. Beyond
   * the plugin's quota it is the one whose values are all "overflow".
   * [any-thread] [created] [since 0.5] */
  oarlock_status (*series)(oarlock_host_ctx* ctx, uint64_t metric, const oarlock_str_view* values,
                           uint64_t value_count, uint64_t* out_series);

  /* Of a counter, by 0 or more; of a gauge by any amount.
   * [any-thread] [created] [since 0.5] */
  oarlock_status (*add)(oarlock_host_ctx* ctx, uint64_t series, oarlock_f64 amount);

  /* Of a gauge.
   * [any-thread] [created] [since 0.5] */
  oarlock_status (*set)(oarlock_host_ctx* ctx, uint64_t series, oarlock_f64 value);

  /* Of a histogram.
   * [any-thread] [created] [since 0.5] */
  oarlock_status (*observe)(oarlock_host_ctx* ctx, uint64_t series, oarlock_f64 value);
} oarlock_host_metrics;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_EXT_METRICS_H */
