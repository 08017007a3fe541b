/* The layout of plugin ABI 0.7, as plugins built for it rely on it. Written by
 * build/dev/tests/abi/abi_accept. A line that fails to compile is a broken plugin. */
#include "tests/abi/layout.h"
#include "oarlock/oarlock.h"

ABI_VERSION(0, 7);
_Static_assert(__builtin_types_compatible_p(__typeof__(&oarlock_plugin_entry_v0),
                                            oarlock_plugin_entry),
               "the entry function has another type");

SIZE(oarlock_str_view, 16);
FIELD(oarlock_str_view, data, 0, const char*);
FIELD(oarlock_str_view, size, 8, uint64_t);

SIZE(oarlock_bytes_view, 16);
FIELD(oarlock_bytes_view, data, 0, const uint8_t*);
FIELD(oarlock_bytes_view, size, 8, uint64_t);

SIZE(oarlock_host, 48);
FIELD(oarlock_host, struct_size, 0, uint32_t);
FIELD(oarlock_host, abi_major, 4, uint32_t);
FIELD(oarlock_host, abi_minor, 8, uint32_t);
FIELD(oarlock_host, reserved, 12, uint32_t);
FIELD(oarlock_host, ctx, 16, oarlock_host_ctx*);
FIELD(oarlock_host, version, 24, oarlock_str_view);
FIELD(oarlock_host, extension, 40, const void* (*)(oarlock_host_ctx*, oarlock_str_view));

SIZE(oarlock_error_out, 24);
FIELD(oarlock_error_out, struct_size, 0, uint32_t);
FIELD(oarlock_error_out, reserved, 4, uint32_t);
FIELD(oarlock_error_out, ctx, 8, oarlock_host_ctx*);
FIELD(oarlock_error_out, set, 16, void (*)(oarlock_host_ctx*, oarlock_str_view));

SIZE(oarlock_object_view, 40);
FIELD(oarlock_object_view, struct_size, 0, uint32_t);
FIELD(oarlock_object_view, encoding, 4, oarlock_encoding);
FIELD(oarlock_object_view, resource, 8, oarlock_str_view);
FIELD(oarlock_object_view, bytes, 24, oarlock_bytes_view);

SIZE(oarlock_failure_view, 56);
FIELD(oarlock_failure_view, struct_size, 0, uint32_t);
FIELD(oarlock_failure_view, reserved, 4, uint32_t);
FIELD(oarlock_failure_view, step, 8, oarlock_str_view);
FIELD(oarlock_failure_view, reason, 24, oarlock_str_view);
FIELD(oarlock_failure_view, message, 40, oarlock_str_view);

SIZE(oarlock_note_view, 96);
FIELD(oarlock_note_view, struct_size, 0, uint32_t);
FIELD(oarlock_note_view, encoding, 4, oarlock_encoding);
FIELD(oarlock_note_view, name, 8, oarlock_str_view);
FIELD(oarlock_note_view, bytes, 24, oarlock_bytes_view);
FIELD(oarlock_note_view, service_account, 40, oarlock_str_view);
FIELD(oarlock_note_view, pod_name, 56, oarlock_str_view);
FIELD(oarlock_note_view, pod_uid, 72, oarlock_str_view);
FIELD(oarlock_note_view, recorded_unix_ms, 88, int64_t);

SIZE(oarlock_inbound_view, 56);
FIELD(oarlock_inbound_view, struct_size, 0, uint32_t);
FIELD(oarlock_inbound_view, reserved, 4, uint32_t);
FIELD(oarlock_inbound_view, url, 8, oarlock_str_view);
FIELD(oarlock_inbound_view, ca_pem, 24, oarlock_str_view);
FIELD(oarlock_inbound_view, audience, 40, oarlock_str_view);

SIZE(oarlock_plan_view, 168);
FIELD(oarlock_plan_view, struct_size, 0, uint32_t);
FIELD(oarlock_plan_view, object_stride, 4, uint32_t);
FIELD(oarlock_plan_view, controller, 8, oarlock_str_view);
FIELD(oarlock_plan_view, object_namespace, 24, oarlock_str_view);
FIELD(oarlock_plan_view, object_name, 40, oarlock_str_view);
FIELD(oarlock_plan_view, primary, 56, const oarlock_object_view*);
FIELD(oarlock_plan_view, owned, 64, const oarlock_object_view*);
FIELD(oarlock_plan_view, owned_count, 72, uint64_t);
FIELD(oarlock_plan_view, watched, 80, const oarlock_object_view*);
FIELD(oarlock_plan_view, watched_count, 88, uint64_t);
FIELD(oarlock_plan_view, now_unix_ms, 96, int64_t);
FIELD(oarlock_plan_view, last_failure, 104, const oarlock_failure_view*);
FIELD(oarlock_plan_view, deleting, 112, int32_t);
FIELD(oarlock_plan_view, observation_encoding, 116, oarlock_encoding);
FIELD(oarlock_plan_view, observation, 120, oarlock_bytes_view);
FIELD(oarlock_plan_view, notes, 136, const oarlock_note_view*);
FIELD(oarlock_plan_view, note_count, 144, uint64_t);
FIELD(oarlock_plan_view, note_stride, 152, uint32_t);
FIELD(oarlock_plan_view, reserved, 156, uint32_t);
FIELD(oarlock_plan_view, inbound, 160, const oarlock_inbound_view*);

SIZE(oarlock_observe_out, 32);
FIELD(oarlock_observe_out, struct_size, 0, uint32_t);
FIELD(oarlock_observe_out, reserved, 4, uint32_t);
FIELD(oarlock_observe_out, ctx, 8, oarlock_observe_ctx*);
FIELD(oarlock_observe_out, answer, 16,
      oarlock_status (*)(oarlock_observe_ctx*, oarlock_encoding, oarlock_bytes_view));
FIELD(oarlock_observe_out, fail, 24,
      oarlock_status (*)(oarlock_observe_ctx*, oarlock_str_view, oarlock_str_view));

SIZE(oarlock_effect_view, 128);
FIELD(oarlock_effect_view, struct_size, 0, uint32_t);
FIELD(oarlock_effect_view, payload_encoding, 4, oarlock_encoding);
FIELD(oarlock_effect_view, controller, 8, oarlock_str_view);
FIELD(oarlock_effect_view, object_namespace, 24, oarlock_str_view);
FIELD(oarlock_effect_view, object_name, 40, oarlock_str_view);
FIELD(oarlock_effect_view, primary, 56, const oarlock_object_view*);
FIELD(oarlock_effect_view, name, 64, oarlock_str_view);
FIELD(oarlock_effect_view, payload, 80, oarlock_bytes_view);
FIELD(oarlock_effect_view, observation, 96, oarlock_bytes_view);
FIELD(oarlock_effect_view, observation_encoding, 112, oarlock_encoding);
FIELD(oarlock_effect_view, reserved, 116, uint32_t);
FIELD(oarlock_effect_view, lease_valid_until_ns, 120, int64_t);

SIZE(oarlock_effect_out, 24);
FIELD(oarlock_effect_out, struct_size, 0, uint32_t);
FIELD(oarlock_effect_out, reserved, 4, uint32_t);
FIELD(oarlock_effect_out, ctx, 8, oarlock_effect_ctx*);
FIELD(oarlock_effect_out, fail, 16,
      oarlock_status (*)(oarlock_effect_ctx*, oarlock_str_view, oarlock_str_view));

SIZE(oarlock_condition_view, 56);
FIELD(oarlock_condition_view, struct_size, 0, uint32_t);
FIELD(oarlock_condition_view, status, 4, oarlock_condition_status);
FIELD(oarlock_condition_view, type, 8, oarlock_str_view);
FIELD(oarlock_condition_view, reason, 24, oarlock_str_view);
FIELD(oarlock_condition_view, message, 40, oarlock_str_view);

SIZE(oarlock_target_view, 72);
FIELD(oarlock_target_view, struct_size, 0, uint32_t);
FIELD(oarlock_target_view, reserved, 4, uint32_t);
FIELD(oarlock_target_view, resource, 8, oarlock_str_view);
FIELD(oarlock_target_view, name, 24, oarlock_str_view);
FIELD(oarlock_target_view, uid, 40, oarlock_str_view);
FIELD(oarlock_target_view, resource_version, 56, oarlock_str_view);

SIZE(oarlock_plan_out, 112);
FIELD(oarlock_plan_out, struct_size, 0, uint32_t);
FIELD(oarlock_plan_out, reserved, 4, uint32_t);
FIELD(oarlock_plan_out, ctx, 8, oarlock_plan_ctx*);
FIELD(oarlock_plan_out, apply, 16,
      oarlock_status (*)(oarlock_plan_ctx*, uint32_t, oarlock_encoding, oarlock_bytes_view));
FIELD(oarlock_plan_out, status, 24,
      oarlock_status (*)(oarlock_plan_ctx*, oarlock_encoding, oarlock_bytes_view));
FIELD(oarlock_plan_out, condition, 32,
      oarlock_status (*)(oarlock_plan_ctx*, const oarlock_condition_view*));
FIELD(oarlock_plan_out, event, 40,
      oarlock_status (*)(oarlock_plan_ctx*, oarlock_event_type, oarlock_str_view,
                         oarlock_str_view));
FIELD(oarlock_plan_out, requeue_after, 48, oarlock_status (*)(oarlock_plan_ctx*, int64_t));
FIELD(oarlock_plan_out, fail, 56,
      oarlock_status (*)(oarlock_plan_ctx*, oarlock_str_view, oarlock_str_view));
FIELD(oarlock_plan_out, finished, 64, oarlock_status (*)(oarlock_plan_ctx*));
FIELD(oarlock_plan_out, create_once, 72,
      oarlock_status (*)(oarlock_plan_ctx*, oarlock_encoding, oarlock_bytes_view));
FIELD(oarlock_plan_out, patch_existing, 80,
      oarlock_status (*)(oarlock_plan_ctx*, const oarlock_target_view*, oarlock_patch_kind,
                         oarlock_encoding, oarlock_bytes_view));
FIELD(oarlock_plan_out, remove, 88,
      oarlock_status (*)(oarlock_plan_ctx*, const oarlock_target_view*, int64_t,
                         oarlock_propagation));
FIELD(oarlock_plan_out, swap_status, 96,
      oarlock_status (*)(oarlock_plan_ctx*, oarlock_str_view, oarlock_encoding,
                         oarlock_bytes_view));
FIELD(oarlock_plan_out, effect, 104,
      oarlock_status (*)(oarlock_plan_ctx*, oarlock_str_view, oarlock_encoding,
                         oarlock_bytes_view));

SIZE(oarlock_query_view, 72);
FIELD(oarlock_query_view, struct_size, 0, uint32_t);
FIELD(oarlock_query_view, reserved, 4, uint32_t);
FIELD(oarlock_query_view, resource, 8, oarlock_str_view);
FIELD(oarlock_query_view, object_namespace, 24, oarlock_str_view);
FIELD(oarlock_query_view, label_selector, 40, oarlock_str_view);
FIELD(oarlock_query_view, owner_uid, 56, oarlock_str_view);

SIZE(oarlock_host_cache, 32);
FIELD(oarlock_host_cache, struct_size, 0, uint32_t);
FIELD(oarlock_host_cache, reserved, 4, uint32_t);
FIELD(oarlock_host_cache, open, 8,
      oarlock_status (*)(oarlock_host_ctx*, const oarlock_query_view*, uint64_t*));
FIELD(oarlock_host_cache, next, 16,
      oarlock_status (*)(oarlock_host_ctx*, uint64_t, oarlock_object_view*));
FIELD(oarlock_host_cache, close, 24, oarlock_status (*)(oarlock_host_ctx*, uint64_t));

SIZE(oarlock_host_clock, 24);
FIELD(oarlock_host_clock, struct_size, 0, uint32_t);
FIELD(oarlock_host_clock, reserved, 4, uint32_t);
FIELD(oarlock_host_clock, monotonic_ns, 8, int64_t (*)(oarlock_host_ctx*));
FIELD(oarlock_host_clock, unix_ms, 16, int64_t (*)(oarlock_host_ctx*));

SIZE(oarlock_host_event_source, 16);
FIELD(oarlock_host_event_source, struct_size, 0, uint32_t);
FIELD(oarlock_host_event_source, reserved, 4, uint32_t);
FIELD(oarlock_host_event_source, enqueue, 8,
      oarlock_status (*)(oarlock_host_ctx*, oarlock_str_view, oarlock_str_view, oarlock_str_view));

SIZE(oarlock_create_view, 24);
FIELD(oarlock_create_view, struct_size, 0, uint32_t);
FIELD(oarlock_create_view, config_encoding, 4, oarlock_encoding);
FIELD(oarlock_create_view, config, 8, oarlock_bytes_view);

SIZE(oarlock_plugin, 136);
FIELD(oarlock_plugin, struct_size, 0, uint32_t);
FIELD(oarlock_plugin, abi_major, 4, uint32_t);
FIELD(oarlock_plugin, abi_minor, 8, uint32_t);
FIELD(oarlock_plugin, reserved, 12, uint32_t);
FIELD(oarlock_plugin, name, 16, oarlock_str_view);
FIELD(oarlock_plugin, version, 32, oarlock_str_view);
FIELD(oarlock_plugin, required_extensions, 48, const oarlock_str_view*);
FIELD(oarlock_plugin, required_extension_count, 56, uint64_t);
FIELD(oarlock_plugin, create, 64,
      oarlock_status (*)(const oarlock_host*, const oarlock_create_view*, const oarlock_error_out*,
                         oarlock_instance**));
FIELD(oarlock_plugin, start, 72, oarlock_status (*)(oarlock_instance*, const oarlock_error_out*));
FIELD(oarlock_plugin, plan, 80,
      oarlock_status (*)(oarlock_instance*, const oarlock_plan_view*, const oarlock_plan_out*));
FIELD(oarlock_plugin, drain, 88, void (*)(oarlock_instance*));
FIELD(oarlock_plugin, stop, 96, void (*)(oarlock_instance*));
FIELD(oarlock_plugin, destroy, 104, void (*)(oarlock_instance*));
FIELD(oarlock_plugin, observe, 112,
      oarlock_status (*)(oarlock_instance*, const oarlock_plan_view*, int64_t,
                         const oarlock_observe_out*));
FIELD(oarlock_plugin, effect, 120,
      oarlock_status (*)(oarlock_instance*, const oarlock_effect_view*, int64_t,
                         const oarlock_effect_out*));
FIELD(oarlock_plugin, extension, 128, const void* (*)(oarlock_instance*, oarlock_str_view));

SIZE(oarlock_request_view, 176);
FIELD(oarlock_request_view, struct_size, 0, uint32_t);
FIELD(oarlock_request_view, reserved, 4, uint32_t);
FIELD(oarlock_request_view, method, 8, oarlock_str_view);
FIELD(oarlock_request_view, object_namespace, 24, oarlock_str_view);
FIELD(oarlock_request_view, object_name, 40, oarlock_str_view);
FIELD(oarlock_request_view, rest, 56, oarlock_str_view);
FIELD(oarlock_request_view, query, 72, oarlock_str_view);
FIELD(oarlock_request_view, content_type, 88, oarlock_str_view);
FIELD(oarlock_request_view, body, 104, oarlock_bytes_view);
FIELD(oarlock_request_view, service_account, 120, oarlock_str_view);
FIELD(oarlock_request_view, pod_name, 136, oarlock_str_view);
FIELD(oarlock_request_view, pod_uid, 152, oarlock_str_view);
FIELD(oarlock_request_view, now_unix_ms, 168, int64_t);

SIZE(oarlock_inbound_out, 32);
FIELD(oarlock_inbound_out, struct_size, 0, uint32_t);
FIELD(oarlock_inbound_out, reserved, 4, uint32_t);
FIELD(oarlock_inbound_out, ctx, 8, oarlock_inbound_ctx*);
FIELD(oarlock_inbound_out, answer, 16,
      oarlock_status (*)(oarlock_inbound_ctx*, int32_t, oarlock_str_view, oarlock_bytes_view));
FIELD(oarlock_inbound_out, note, 24,
      oarlock_status (*)(oarlock_inbound_ctx*, oarlock_str_view, oarlock_str_view, oarlock_encoding,
                         oarlock_bytes_view));

SIZE(oarlock_plugin_inbound, 16);
FIELD(oarlock_plugin_inbound, struct_size, 0, uint32_t);
FIELD(oarlock_plugin_inbound, reserved, 4, uint32_t);
FIELD(oarlock_plugin_inbound, request, 8,
      oarlock_status (*)(oarlock_instance*, const oarlock_request_view*, int64_t,
                         const oarlock_inbound_out*));

SIZE(oarlock_host_leadership, 16);
FIELD(oarlock_host_leadership, struct_size, 0, uint32_t);
FIELD(oarlock_host_leadership, reserved, 4, uint32_t);
FIELD(oarlock_host_leadership, valid_until, 8, int64_t (*)(oarlock_host_ctx*));

SIZE(oarlock_pair_view, 32);
FIELD(oarlock_pair_view, key, 0, oarlock_str_view);
FIELD(oarlock_pair_view, value, 16, oarlock_str_view);

SIZE(oarlock_host_log, 24);
FIELD(oarlock_host_log, struct_size, 0, uint32_t);
FIELD(oarlock_host_log, reserved, 4, uint32_t);
FIELD(oarlock_host_log, enabled, 8, int32_t (*)(oarlock_host_ctx*, oarlock_log_level));
FIELD(oarlock_host_log, write, 16,
      void (*)(oarlock_host_ctx*, oarlock_log_level, oarlock_str_view, const oarlock_pair_view*,
               uint64_t));

SIZE(oarlock_metric_view, 72);
FIELD(oarlock_metric_view, struct_size, 0, uint32_t);
FIELD(oarlock_metric_view, kind, 4, oarlock_metric_kind);
FIELD(oarlock_metric_view, name, 8, oarlock_str_view);
FIELD(oarlock_metric_view, help, 24, oarlock_str_view);
FIELD(oarlock_metric_view, labels, 40, const oarlock_str_view*);
FIELD(oarlock_metric_view, label_count, 48, uint64_t);
FIELD(oarlock_metric_view, buckets, 56, const oarlock_f64*);
FIELD(oarlock_metric_view, bucket_count, 64, uint64_t);

SIZE(oarlock_host_metrics, 48);
FIELD(oarlock_host_metrics, struct_size, 0, uint32_t);
FIELD(oarlock_host_metrics, reserved, 4, uint32_t);
FIELD(oarlock_host_metrics, declare, 8,
      oarlock_status (*)(oarlock_host_ctx*, const oarlock_metric_view*, uint64_t*));
FIELD(oarlock_host_metrics, series, 16,
      oarlock_status (*)(oarlock_host_ctx*, uint64_t, const oarlock_str_view*, uint64_t,
                         uint64_t*));
FIELD(oarlock_host_metrics, add, 24, oarlock_status (*)(oarlock_host_ctx*, uint64_t, oarlock_f64));
FIELD(oarlock_host_metrics, set, 32, oarlock_status (*)(oarlock_host_ctx*, uint64_t, oarlock_f64));
FIELD(oarlock_host_metrics, observe, 40,
      oarlock_status (*)(oarlock_host_ctx*, uint64_t, oarlock_f64));

SIZE(oarlock_read_out, 32);
FIELD(oarlock_read_out, struct_size, 0, uint32_t);
FIELD(oarlock_read_out, reserved, 4, uint32_t);
FIELD(oarlock_read_out, ctx, 8, oarlock_reader*);
FIELD(oarlock_read_out, object, 16, void (*)(oarlock_reader*, const oarlock_object_view*));
FIELD(oarlock_read_out, fail, 24, void (*)(oarlock_reader*, oarlock_str_view, oarlock_str_view));

SIZE(oarlock_host_read, 16);
FIELD(oarlock_host_read, struct_size, 0, uint32_t);
FIELD(oarlock_host_read, reserved, 4, uint32_t);
FIELD(oarlock_host_read, get, 8,
      oarlock_status (*)(oarlock_host_ctx*, oarlock_str_view, oarlock_str_view,
                         const oarlock_read_out*));

SIZE(oarlock_review_view, 88);
FIELD(oarlock_review_view, struct_size, 0, uint32_t);
FIELD(oarlock_review_view, operation, 4, oarlock_review_operation);
FIELD(oarlock_review_view, encoding, 8, oarlock_encoding);
FIELD(oarlock_review_view, reserved, 12, uint32_t);
FIELD(oarlock_review_view, controller, 16, oarlock_str_view);
FIELD(oarlock_review_view, object, 32, oarlock_bytes_view);
FIELD(oarlock_review_view, old_object, 48, oarlock_bytes_view);
FIELD(oarlock_review_view, to_api_version, 64, oarlock_str_view);
FIELD(oarlock_review_view, now_unix_ms, 80, int64_t);

SIZE(oarlock_review_out, 40);
FIELD(oarlock_review_out, struct_size, 0, uint32_t);
FIELD(oarlock_review_out, reserved, 4, uint32_t);
FIELD(oarlock_review_out, ctx, 8, oarlock_review_ctx*);
FIELD(oarlock_review_out, refuse, 16,
      oarlock_status (*)(oarlock_review_ctx*, oarlock_str_view, oarlock_str_view));
FIELD(oarlock_review_out, warn, 24, oarlock_status (*)(oarlock_review_ctx*, oarlock_str_view));
FIELD(oarlock_review_out, object, 32,
      oarlock_status (*)(oarlock_review_ctx*, oarlock_encoding, oarlock_bytes_view));

SIZE(oarlock_plugin_review, 32);
FIELD(oarlock_plugin_review, struct_size, 0, uint32_t);
FIELD(oarlock_plugin_review, reserved, 4, uint32_t);
FIELD(oarlock_plugin_review, validate, 8,
      oarlock_status (*)(oarlock_instance*, const oarlock_review_view*, int64_t,
                         const oarlock_review_out*));
FIELD(oarlock_plugin_review, mutate, 16,
      oarlock_status (*)(oarlock_instance*, const oarlock_review_view*, int64_t,
                         const oarlock_review_out*));
FIELD(oarlock_plugin_review, convert, 24,
      oarlock_status (*)(oarlock_instance*, const oarlock_review_view*, int64_t,
                         const oarlock_review_out*));

SIZE(oarlock_host_thread, 16);
FIELD(oarlock_host_thread, struct_size, 0, uint32_t);
FIELD(oarlock_host_thread, reserved, 4, uint32_t);
FIELD(oarlock_host_thread, current, 8, oarlock_thread (*)(oarlock_host_ctx*));

VALUE(OARLOCK_ENCODING_JSON, 1);
VALUE(OARLOCK_OK, 0);
VALUE(OARLOCK_ERROR, 1);
VALUE(OARLOCK_TERMINAL, 2);
VALUE(OARLOCK_INVALID, 3);
VALUE(OARLOCK_LIMIT, 4);
VALUE(OARLOCK_CONDITION_FALSE, 0);
VALUE(OARLOCK_CONDITION_TRUE, 1);
VALUE(OARLOCK_CONDITION_UNKNOWN, 2);
VALUE(OARLOCK_EVENT_NORMAL, 0);
VALUE(OARLOCK_EVENT_WARNING, 1);
VALUE(OARLOCK_PATCH_MERGE, 1);
VALUE(OARLOCK_PATCH_APPLY, 2);
VALUE(OARLOCK_PROPAGATE_BACKGROUND, 0);
VALUE(OARLOCK_PROPAGATE_FOREGROUND, 1);
VALUE(OARLOCK_PROPAGATE_ORPHAN, 2);
VALUE(OARLOCK_LOG_DEBUG, 0);
VALUE(OARLOCK_LOG_INFO, 1);
VALUE(OARLOCK_LOG_WARN, 2);
VALUE(OARLOCK_LOG_ERROR, 3);
VALUE(OARLOCK_METRIC_COUNTER, 1);
VALUE(OARLOCK_METRIC_GAUGE, 2);
VALUE(OARLOCK_METRIC_HISTOGRAM, 3);
VALUE(OARLOCK_REVIEW_NONE, 0);
VALUE(OARLOCK_REVIEW_CREATE, 1);
VALUE(OARLOCK_REVIEW_UPDATE, 2);
VALUE(OARLOCK_REVIEW_DELETE, 3);
VALUE(OARLOCK_THREAD_OWN, 0);
VALUE(OARLOCK_THREAD_CONTROL, 1);
VALUE(OARLOCK_THREAD_WORKER, 2);
