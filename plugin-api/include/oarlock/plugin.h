/*
 * What a plugin is: one exported function that returns a constant description.
 *
 * Life of an instance. Many instances, and two versions of one plugin, may live in one process, so
 * all state hangs on the instance:
 *
 *   oarlock_plugin_entry_v0 -> create -> start -> (observe, plan, effect*)* -> drain -> stop
 *     -> destroy
 *
 * Thread words in the tag lines: [control] one thread at a time, never together with another
 * [control] call of the same instance; [worker] any of several worker threads, one call at a time
 * for one object, many at a time for different objects; [any-thread] any thread, also together.
 *
 * A plugin starts no thread that outlives stop(), installs no signal or exit handler, and does not
 * change the environment, locale, umask or working directory. It needs no symbol of the host.
 *
 * A whole plugin, which gives each object a ConfigMap. Built with -fPIC -shared and plugin.map:
 *
 *   #include <stdio.h>
 *   #include "oarlock/oarlock.h"
 *
 *   static oarlock_status create(const oarlock_host* host, const oarlock_create_view* view,
 *                                const oarlock_error_out* error, oarlock_instance** out) {
 *     static char stateless;
 *     (void)host, (void)view, (void)error;
 *     *out = (oarlock_instance*)&stateless;
 *     return OARLOCK_OK;
 *   }
 *   static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error) {
 *     (void)self, (void)error;
 *     return OARLOCK_OK;
 *   }
 *   static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
 *                              const oarlock_plan_out* out) {
 *     char json[512];
 *     const int size = snprintf(json, sizeof(json),
 *                               "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
 *                               "\"metadata\":{\"name\":\"%.*s-greeting\"},"
 *                               "\"data\":{\"text\":\"hello\"}}",
 *                               (int)view->object_name.size, view->object_name.data);
 *     const oarlock_bytes_view child = {(const uint8_t*)json, (uint64_t)size};
 *     (void)self;
 *     return out->apply(out->ctx, 0, OARLOCK_ENCODING_JSON, child);
 *   }
 *   static void nothing(oarlock_instance* self) {
 *     (void)self;
 *   }
 *   const oarlock_plugin* oarlock_plugin_entry_v0(void) {
 *     static const oarlock_plugin it = {
 *         .struct_size = sizeof(oarlock_plugin),
 *         .abi_major = OARLOCK_ABI_MAJOR, .abi_minor = OARLOCK_ABI_MINOR,
 *         .name = {"zoo", 3}, .version = {"1.0.0", 5},
 *         .create = create, .start = start, .plan = plan,
 *         .drain = nothing, .stop = nothing, .destroy = nothing};
 *     return &it;
 *   }
 */
#ifndef OARLOCK_PLUGIN_H
#define OARLOCK_PLUGIN_H

#include "oarlock/abi.h"
#include "oarlock/host.h"
#include "oarlock/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct oarlock_instance oarlock_instance;

typedef struct oarlock_create_view {
  uint32_t struct_size;
  oarlock_encoding config_encoding;
  oarlock_bytes_view config; /* what the administrator configured, checked against the manifest's
                                schema; an empty JSON object when nothing was */
} oarlock_create_view;

typedef struct oarlock_plugin {
  uint32_t struct_size;
  uint32_t abi_major; /* OARLOCK_ABI_MAJOR of the headers it was built with */
  uint32_t abi_minor; /* the lowest minor of a host that it can live with */
  uint32_t reserved;
  oarlock_str_view name;                       /* as in plugin.yaml */
  oarlock_str_view version;                    /* as in plugin.yaml */
  const oarlock_str_view* required_extensions; /* ids that create() cannot do without */
  uint64_t required_extension_count;

  /* Makes an instance. On failure returns its reason through `error_out` and leaves nothing behind.
   * [control] [!created] [since 0.1] */
  oarlock_status (*create)(const oarlock_host* host, const oarlock_create_view* create_view,
                           const oarlock_error_out* error_out, oarlock_instance** out_instance);

  /* plan() calls may come from now on.
   * [control] [created] [since 0.1] */
  oarlock_status (*start)(oarlock_instance* self, const oarlock_error_out* error_out);

  /* Records through `plan_out` what should be, given what is. Pure: same inputs, same answer.
   * [worker] [started] [serial per object] [since 0.1] */
  oarlock_status (*plan)(oarlock_instance* self, const oarlock_plan_view* plan_view,
                         const oarlock_plan_out* plan_out);

  /* No new plan() will come; those under way are still running.
   * [control] [started] [since 0.1] */
  void (*drain)(oarlock_instance* self);

  /* No plan() is running any more. Ends everything the instance started.
   * [control] [drained] [since 0.1] */
  void (*stop)(oarlock_instance* self);

  /* Frees the instance. The host's tables are gone after this.
   * [control] [created or stopped] [since 0.1] */
  void (*destroy)(oarlock_instance* self);

  /* Looks at what is outside of Kubernetes, before each plan and with the same inputs; it may do
   * I/O, and it returns within `time_left_ms`. When it fails nothing is planned,
   * and the host tries again as after a plan that fails. NULL in a plugin that has nothing to ask.
   * [worker] [started] [serial per object] [since 0.4] */
  oarlock_status (*observe)(oarlock_instance* self, const oarlock_plan_view* plan_view,
                            int64_t time_left_ms, const oarlock_observe_out* observe_out);

  /* Does one effect that a plan recorded, after the steps before it; no other call for this object
   * runs meanwhile. It may do I/O, and it returns within `time_left_ms`. Not called when this
   * process may have stopped being the leader. What it returns counts as for any step:
   * OARLOCK_ERROR is tried again by a new observe and plan, OARLOCK_TERMINAL once the object
   * changes. NULL in a plugin whose plans record none.
   * [worker] [started] [serial per object] [since 0.5] */
  oarlock_status (*effect)(oarlock_instance* self, const oarlock_effect_view* effect_view,
                           int64_t time_left_ms, const oarlock_effect_out* effect_out);

  /* A table of optional functions that the host may call, by id and revision, or NULL for what the
   * plugin lacks; "oarlock.inbound/1" is one. The table lives until destroy(). NULL in a plugin
   * that has none.
   * [any-thread] [created] [since 0.5] */
  const void* (*extension)(oarlock_instance* self, oarlock_str_view id);
} oarlock_plugin;

/* The exported symbol. Must be callable before anything else, any number of times.
 * [any-thread] [always] [since 0.1] */
OARLOCK_EXPORT const oarlock_plugin* oarlock_plugin_entry_v0(void);
typedef const oarlock_plugin* (*oarlock_plugin_entry)(void);

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_PLUGIN_H */
