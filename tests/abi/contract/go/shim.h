/* Go cannot call a C function pointer: one line for each slot that the plugin uses. */
#ifndef OARLOCK_CONTRACT_SHIM_H
#define OARLOCK_CONTRACT_SHIM_H

#include "oarlock/oarlock.h"

static inline oarlock_status out_apply(const oarlock_plan_out* out, uint32_t group,
                                       oarlock_bytes_view json) {
  return out->apply(out->ctx, group, OARLOCK_ENCODING_JSON, json);
}
static inline oarlock_status out_status(const oarlock_plan_out* out, oarlock_bytes_view json) {
  return out->status(out->ctx, OARLOCK_ENCODING_JSON, json);
}
static inline oarlock_status out_condition(const oarlock_plan_out* out, oarlock_str_view type,
                                           oarlock_condition_status status, oarlock_str_view reason,
                                           oarlock_str_view message) {
  const oarlock_condition_view view = {sizeof(view), status, type, reason, message};
  return out->condition(out->ctx, &view);
}
static inline oarlock_status out_event(const oarlock_plan_out* out, oarlock_event_type type,
                                       oarlock_str_view reason, oarlock_str_view message) {
  return out->event(out->ctx, type, reason, message);
}
static inline oarlock_status out_requeue_after(const oarlock_plan_out* out, int64_t delay_ms) {
  return out->requeue_after(out->ctx, delay_ms);
}
static inline void out_fail(const oarlock_plan_out* out, oarlock_str_view reason,
                            oarlock_str_view message) {
  out->fail(out->ctx, reason, message);
}
static inline oarlock_status out_finished(const oarlock_plan_out* out) {
  return out->finished(out->ctx);
}
static inline oarlock_status out_create_once(const oarlock_plan_out* out, oarlock_bytes_view json) {
  return out->create_once(out->ctx, OARLOCK_ENCODING_JSON, json);
}
static inline oarlock_target_view target(oarlock_str_view resource, oarlock_str_view name,
                                         oarlock_str_view uid, oarlock_str_view version) {
  const oarlock_target_view view = {sizeof(view), 0, resource, name, uid, version};
  return view;
}
static inline oarlock_status out_patch(const oarlock_plan_out* out, oarlock_target_view what,
                                       oarlock_patch_kind kind, oarlock_bytes_view json) {
  return out->patch_existing(out->ctx, &what, kind, OARLOCK_ENCODING_JSON, json);
}
static inline oarlock_status out_remove(const oarlock_plan_out* out, oarlock_target_view what,
                                        int64_t grace_seconds, oarlock_propagation propagation) {
  return out->remove(out->ctx, &what, grace_seconds, propagation);
}
static inline oarlock_status out_swap_status(const oarlock_plan_out* out, oarlock_str_view version,
                                             oarlock_bytes_view json) {
  return out->swap_status(out->ctx, version, OARLOCK_ENCODING_JSON, json);
}

static inline oarlock_status out_effect(const oarlock_plan_out* out, oarlock_str_view name,
                                        oarlock_bytes_view json) {
  return out->effect(out->ctx, name, OARLOCK_ENCODING_JSON, json);
}

static inline void effect_fail(const oarlock_effect_out* out, oarlock_str_view reason,
                               oarlock_str_view message) {
  out->fail(out->ctx, reason, message);
}
static inline oarlock_status observe_answer(const oarlock_observe_out* out,
                                            oarlock_bytes_view json) {
  return out->answer(out->ctx, OARLOCK_ENCODING_JSON, json);
}
static inline void observe_fail(const oarlock_observe_out* out, oarlock_str_view reason,
                                oarlock_str_view message) {
  out->fail(out->ctx, reason, message);
}

static inline const oarlock_host_log* host_log(const oarlock_host* host) {
  const oarlock_str_view id = {OARLOCK_EXT_LOG, sizeof(OARLOCK_EXT_LOG) - 1};
  return host->extension(host->ctx, id);
}
static inline void log_pair(const oarlock_host* host, const oarlock_host_log* log,
                            oarlock_log_level level, oarlock_str_view message, oarlock_str_view key,
                            oarlock_str_view value) {
  const oarlock_pair_view pair = {key, value};
  if (log != NULL && log->enabled(host->ctx, level)) {
    log->write(host->ctx, level, message, &pair, 1);
  }
}
static inline void set_error(const oarlock_error_out* out, oarlock_str_view message) {
  out->set(out->ctx, message);
}

#endif /* OARLOCK_CONTRACT_SHIM_H */
