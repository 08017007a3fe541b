/*
 * Extension "oarlock.inbound/1" (draft): HTTPS requests from pods to the plugin that manages them,
 * over a listener of the daemon (--inbound-bind-address). The daemon knows the pod by its token,
 * limits it and answers what is not for the plugin; see docs/decisions/0021-inbound.md.
 *
 * A table of the plugin: oarlock_plugin.extension() returns it. Plans see what requests have left
 * as notes, and how pods reach the daemon as `inbound`: both are in oarlock_plan_view.
 */
#ifndef OARLOCK_EXT_INBOUND_H
#define OARLOCK_EXT_INBOUND_H

#include "oarlock/abi.h"
#include "oarlock/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_INBOUND "oarlock.inbound/1"

/* One request of a pod: of /v1/<plugin>/<namespace>/<name>/<rest>. */
typedef struct oarlock_request_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view method;           /* "GET", "POST", "PUT" or "DELETE" */
  oarlock_str_view object_namespace; /* that of the pod, always */
  oarlock_str_view object_name;      /* perhaps of no object */
  oarlock_str_view rest;             /* "progress"; may be empty */
  oarlock_str_view query;            /* without the '?' */
  oarlock_str_view content_type;     /* may be empty */
  oarlock_bytes_view body;           /* 64 KiB at most; whatever the pod sent */
  oarlock_str_view service_account;  /* these three as the API server says */
  oarlock_str_view pod_name;
  oarlock_str_view pod_uid;
  int64_t now_unix_ms;
} oarlock_request_view;

typedef struct oarlock_inbound_ctx oarlock_inbound_ctx;

/* Where a request leaves its answer. */
typedef struct oarlock_inbound_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_inbound_ctx* ctx;

  /* What the pod gets; the last call wins, without one 204. `http_status` is 200 to 599, the body
   * 64 KiB at most; an empty `content_type` is text/plain.
   * [worker] [during request] [since 0.5] */
  oarlock_status (*answer)(oarlock_inbound_ctx* ctx, int32_t http_status,
                           oarlock_str_view content_type, oarlock_bytes_view body_view);

  /* Leaves one JSON value, 16 KiB at most, for the plans of the object of the request, which is one
   * of `controller`, and has it planned. `note_name` has letters, digits and "-_.", 63 at most; the
   * last value of a name stays. 16 notes of one request, 64 names and 64 KiB of one object: what
   * goes beyond is not taken, and the pod is told 507; 404 where there is no such object. Nothing
   * is taken of a request that does not return OARLOCK_OK.
   * [worker] [during request] [since 0.5] */
  oarlock_status (*note)(oarlock_inbound_ctx* ctx, oarlock_str_view controller,
                         oarlock_str_view note_name, oarlock_encoding encoding,
                         oarlock_bytes_view note_view);
} oarlock_inbound_out;

typedef struct oarlock_plugin_inbound {
  uint32_t struct_size;
  uint32_t reserved;

  /* Takes one request, and returns within `time_left_ms`. Only at the leader. Any status but
   * OARLOCK_OK is a 500 for the pod.
   * [worker] [started] [many at a time] [since 0.5] */
  oarlock_status (*request)(oarlock_instance* self, const oarlock_request_view* request_view,
                            int64_t time_left_ms, const oarlock_inbound_out* inbound_out);
} oarlock_plugin_inbound;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_EXT_INBOUND_H */
