#ifndef OARLOCK_OARLOCK_H
#define OARLOCK_OARLOCK_H
#ifndef OARLOCK_ABI_H
#define OARLOCK_ABI_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_ABI_MAJOR 0
#define OARLOCK_OLDEST_MINOR 6
#define OARLOCK_NEWEST_MINOR 7
#ifdef OARLOCK_TARGET_MINOR
#define OARLOCK_ABI_MINOR OARLOCK_TARGET_MINOR
#else
#define OARLOCK_ABI_MINOR OARLOCK_NEWEST_MINOR
#endif
#if OARLOCK_ABI_MINOR < OARLOCK_OLDEST_MINOR || OARLOCK_ABI_MINOR > OARLOCK_NEWEST_MINOR
#error "expected OARLOCK_TARGET_MINOR between OARLOCK_OLDEST_MINOR and OARLOCK_NEWEST_MINOR"
#endif
#define OARLOCK_ENTRY_SYMBOL "oarlock_plugin_entry_v0"
#define OARLOCK_EXPORT __attribute__((visibility("default")))
#define OARLOCK_HAS_FIELD(object, type, field) \
  ((object)->struct_size >= offsetof(type, field) + sizeof(((type*)0)->field))
typedef struct oarlock_str_view {
  const char* data;
  uint64_t size;
} oarlock_str_view;
typedef struct oarlock_bytes_view {
  const uint8_t* data;
  uint64_t size;
} oarlock_bytes_view;
typedef int32_t oarlock_encoding;
enum { OARLOCK_ENCODING_JSON = 1 };
typedef int32_t oarlock_status;
enum {
  OARLOCK_OK = 0,
  OARLOCK_ERROR = 1,
  OARLOCK_TERMINAL = 2,
  OARLOCK_INVALID = 3,
  OARLOCK_LIMIT = 4
};
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_CACHE_H
#define OARLOCK_EXT_CACHE_H
#ifndef OARLOCK_HOST_H
#define OARLOCK_HOST_H
#ifdef __cplusplus
extern "C" {
#endif
typedef struct oarlock_host_ctx oarlock_host_ctx;
typedef struct oarlock_host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  oarlock_host_ctx* ctx;
  oarlock_str_view version;
  const void* (*extension)(oarlock_host_ctx* ctx, oarlock_str_view id);
} oarlock_host;
typedef struct oarlock_error_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_host_ctx* ctx;
  void (*set)(oarlock_host_ctx* ctx, oarlock_str_view message);
} oarlock_error_out;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_PLAN_H
#define OARLOCK_PLAN_H
#ifdef __cplusplus
extern "C" {
#endif
typedef struct oarlock_object_view {
  uint32_t struct_size;
  oarlock_encoding encoding;
  oarlock_str_view resource;
  oarlock_bytes_view bytes;
} oarlock_object_view;
typedef struct oarlock_failure_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view step;
  oarlock_str_view reason;
  oarlock_str_view message;
} oarlock_failure_view;
typedef struct oarlock_note_view {
  uint32_t struct_size;
  oarlock_encoding encoding;
  oarlock_str_view name;
  oarlock_bytes_view bytes;
  oarlock_str_view service_account;
  oarlock_str_view pod_name;
  oarlock_str_view pod_uid;
  int64_t recorded_unix_ms;
} oarlock_note_view;
typedef struct oarlock_inbound_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view url;
  oarlock_str_view ca_pem;
  oarlock_str_view audience;
} oarlock_inbound_view;
typedef struct oarlock_plan_view {
  uint32_t struct_size;
  uint32_t object_stride;
  oarlock_str_view controller;
  oarlock_str_view object_namespace;
  oarlock_str_view object_name;
  const oarlock_object_view* primary;
  const oarlock_object_view* owned;
  uint64_t owned_count;
  const oarlock_object_view* watched;
  uint64_t watched_count;
  int64_t now_unix_ms;
  const oarlock_failure_view* last_failure;
  int32_t deleting;
  oarlock_encoding observation_encoding;
  oarlock_bytes_view observation;
  const oarlock_note_view* notes;
  uint64_t note_count;
  uint32_t note_stride;
  uint32_t reserved;
  const oarlock_inbound_view* inbound;
} oarlock_plan_view;
typedef struct oarlock_observe_ctx oarlock_observe_ctx;
typedef struct oarlock_observe_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_observe_ctx* ctx;
  oarlock_status (*answer)(oarlock_observe_ctx* ctx, oarlock_encoding encoding,
                           oarlock_bytes_view observation_view);
  oarlock_status (*fail)(oarlock_observe_ctx* ctx, oarlock_str_view reason,
                         oarlock_str_view message);
} oarlock_observe_out;
typedef struct oarlock_effect_view {
  uint32_t struct_size;
  oarlock_encoding payload_encoding;
  oarlock_str_view controller;
  oarlock_str_view object_namespace;
  oarlock_str_view object_name;
  const oarlock_object_view* primary;
  oarlock_str_view name;
  oarlock_bytes_view payload;
  oarlock_bytes_view observation;
  oarlock_encoding observation_encoding;
  uint32_t reserved;
  int64_t lease_valid_until_ns;
} oarlock_effect_view;
typedef struct oarlock_effect_ctx oarlock_effect_ctx;
typedef struct oarlock_effect_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_effect_ctx* ctx;
  oarlock_status (*fail)(oarlock_effect_ctx* ctx, oarlock_str_view reason,
                         oarlock_str_view message);
} oarlock_effect_out;
typedef int32_t oarlock_condition_status;
enum { OARLOCK_CONDITION_FALSE = 0, OARLOCK_CONDITION_TRUE = 1, OARLOCK_CONDITION_UNKNOWN = 2 };
typedef struct oarlock_condition_view {
  uint32_t struct_size;
  oarlock_condition_status status;
  oarlock_str_view type;
  oarlock_str_view reason;
  oarlock_str_view message;
} oarlock_condition_view;
typedef int32_t oarlock_event_type;
enum { OARLOCK_EVENT_NORMAL = 0, OARLOCK_EVENT_WARNING = 1 };
typedef struct oarlock_target_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view resource;
  oarlock_str_view name;
  oarlock_str_view uid;
  oarlock_str_view resource_version;
} oarlock_target_view;
typedef int32_t oarlock_patch_kind;
enum {
  OARLOCK_PATCH_MERGE = 1,
  OARLOCK_PATCH_APPLY = 2
};
typedef int32_t oarlock_propagation;
enum {
  OARLOCK_PROPAGATE_BACKGROUND = 0,
  OARLOCK_PROPAGATE_FOREGROUND = 1,
  OARLOCK_PROPAGATE_ORPHAN = 2
};
typedef struct oarlock_plan_ctx oarlock_plan_ctx;
typedef struct oarlock_plan_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_plan_ctx* ctx;
  oarlock_status (*apply)(oarlock_plan_ctx* ctx, uint32_t group, oarlock_encoding encoding,
                          oarlock_bytes_view object_view);
  oarlock_status (*status)(oarlock_plan_ctx* ctx, oarlock_encoding encoding,
                           oarlock_bytes_view status_view);
  oarlock_status (*condition)(oarlock_plan_ctx* ctx, const oarlock_condition_view* condition_view);
  oarlock_status (*event)(oarlock_plan_ctx* ctx, oarlock_event_type type, oarlock_str_view reason,
                          oarlock_str_view message);
  oarlock_status (*requeue_after)(oarlock_plan_ctx* ctx, int64_t delay_ms);
  oarlock_status (*fail)(oarlock_plan_ctx* ctx, oarlock_str_view reason, oarlock_str_view message);
  oarlock_status (*finished)(oarlock_plan_ctx* ctx);
  oarlock_status (*create_once)(oarlock_plan_ctx* ctx, oarlock_encoding encoding,
                                oarlock_bytes_view object_view);
  oarlock_status (*patch_existing)(oarlock_plan_ctx* ctx, const oarlock_target_view* target_view,
                                   oarlock_patch_kind kind, oarlock_encoding encoding,
                                   oarlock_bytes_view patch_view);
  oarlock_status (*remove)(oarlock_plan_ctx* ctx, const oarlock_target_view* target_view,
                           int64_t grace_seconds, oarlock_propagation propagation);
  oarlock_status (*swap_status)(oarlock_plan_ctx* ctx, oarlock_str_view resource_version,
                                oarlock_encoding encoding, oarlock_bytes_view status_view);
  oarlock_status (*effect)(oarlock_plan_ctx* ctx, oarlock_str_view name, oarlock_encoding encoding,
                           oarlock_bytes_view payload_view);
} oarlock_plan_out;
#ifdef __cplusplus
}
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_CACHE "oarlock.cache/1"
typedef struct oarlock_query_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view resource;
  oarlock_str_view object_namespace;
  oarlock_str_view label_selector;
  oarlock_str_view owner_uid;
} oarlock_query_view;
typedef struct oarlock_host_cache {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_status (*open)(oarlock_host_ctx* ctx, const oarlock_query_view* query_view,
                         uint64_t* out_cursor);
  oarlock_status (*next)(oarlock_host_ctx* ctx, uint64_t cursor, oarlock_object_view* out_object);
  oarlock_status (*close)(oarlock_host_ctx* ctx, uint64_t cursor);
} oarlock_host_cache;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_CLOCK_H
#define OARLOCK_EXT_CLOCK_H
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_CLOCK "oarlock.clock/1"
typedef struct oarlock_host_clock {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t (*monotonic_ns)(oarlock_host_ctx* ctx);
  int64_t (*unix_ms)(oarlock_host_ctx* ctx);
} oarlock_host_clock;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_EVENT_SOURCE_H
#define OARLOCK_EXT_EVENT_SOURCE_H
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_EVENT_SOURCE "oarlock.event_source/1"
typedef struct oarlock_host_event_source {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_status (*enqueue)(oarlock_host_ctx* ctx, oarlock_str_view controller,
                            oarlock_str_view object_namespace, oarlock_str_view object_name);
} oarlock_host_event_source;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_INBOUND_H
#define OARLOCK_EXT_INBOUND_H
#ifndef OARLOCK_PLUGIN_H
#define OARLOCK_PLUGIN_H
#ifdef __cplusplus
extern "C" {
#endif
typedef struct oarlock_instance oarlock_instance;
typedef struct oarlock_create_view {
  uint32_t struct_size;
  oarlock_encoding config_encoding;
  oarlock_bytes_view config;
} oarlock_create_view;
typedef struct oarlock_plugin {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  oarlock_str_view name;
  oarlock_str_view version;
  const oarlock_str_view* required_extensions;
  uint64_t required_extension_count;
  oarlock_status (*create)(const oarlock_host* host, const oarlock_create_view* create_view,
                           const oarlock_error_out* error_out, oarlock_instance** out_instance);
  oarlock_status (*start)(oarlock_instance* self, const oarlock_error_out* error_out);
  oarlock_status (*plan)(oarlock_instance* self, const oarlock_plan_view* plan_view,
                         const oarlock_plan_out* plan_out);
  void (*drain)(oarlock_instance* self);
  void (*stop)(oarlock_instance* self);
  void (*destroy)(oarlock_instance* self);
  oarlock_status (*observe)(oarlock_instance* self, const oarlock_plan_view* plan_view,
                            int64_t time_left_ms, const oarlock_observe_out* observe_out);
  oarlock_status (*effect)(oarlock_instance* self, const oarlock_effect_view* effect_view,
                           int64_t time_left_ms, const oarlock_effect_out* effect_out);
  const void* (*extension)(oarlock_instance* self, oarlock_str_view id);
} oarlock_plugin;
OARLOCK_EXPORT const oarlock_plugin* oarlock_plugin_entry_v0(void);
typedef const oarlock_plugin* (*oarlock_plugin_entry)(void);
#ifdef __cplusplus
}
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_INBOUND "oarlock.inbound/1"
typedef struct oarlock_request_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view method;
  oarlock_str_view object_namespace;
  oarlock_str_view object_name;
  oarlock_str_view rest;
  oarlock_str_view query;
  oarlock_str_view content_type;
  oarlock_bytes_view body;
  oarlock_str_view service_account;
  oarlock_str_view pod_name;
  oarlock_str_view pod_uid;
  int64_t now_unix_ms;
} oarlock_request_view;
typedef struct oarlock_inbound_ctx oarlock_inbound_ctx;
typedef struct oarlock_inbound_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_inbound_ctx* ctx;
  oarlock_status (*answer)(oarlock_inbound_ctx* ctx, int32_t http_status,
                           oarlock_str_view content_type, oarlock_bytes_view body_view);
  oarlock_status (*note)(oarlock_inbound_ctx* ctx, oarlock_str_view controller,
                         oarlock_str_view note_name, oarlock_encoding encoding,
                         oarlock_bytes_view note_view);
} oarlock_inbound_out;
typedef struct oarlock_plugin_inbound {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_status (*request)(oarlock_instance* self, const oarlock_request_view* request_view,
                            int64_t time_left_ms, const oarlock_inbound_out* inbound_out);
} oarlock_plugin_inbound;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_LEADERSHIP_H
#define OARLOCK_EXT_LEADERSHIP_H
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_LEADERSHIP "oarlock.leadership/1"
typedef struct oarlock_host_leadership {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t (*valid_until)(oarlock_host_ctx* ctx);
} oarlock_host_leadership;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_LOG_H
#define OARLOCK_EXT_LOG_H
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_LOG "oarlock.log/1"
typedef int32_t oarlock_log_level;
enum { OARLOCK_LOG_DEBUG = 0, OARLOCK_LOG_INFO = 1, OARLOCK_LOG_WARN = 2, OARLOCK_LOG_ERROR = 3 };
typedef struct oarlock_pair_view {
  oarlock_str_view key;
  oarlock_str_view value;
} oarlock_pair_view;
typedef struct oarlock_host_log {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*enabled)(oarlock_host_ctx* ctx, oarlock_log_level level);
  void (*write)(oarlock_host_ctx* ctx, oarlock_log_level level, oarlock_str_view message,
                const oarlock_pair_view* pairs, uint64_t pair_count);
} oarlock_host_log;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_METRICS_H
#define OARLOCK_EXT_METRICS_H
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_METRICS "oarlock.metrics/1"
typedef double oarlock_f64;
typedef int32_t oarlock_metric_kind;
enum { OARLOCK_METRIC_COUNTER = 1, OARLOCK_METRIC_GAUGE = 2, OARLOCK_METRIC_HISTOGRAM = 3 };
typedef struct oarlock_metric_view {
  uint32_t struct_size;
  oarlock_metric_kind kind;
  oarlock_str_view name;
  oarlock_str_view help;
  const oarlock_str_view* labels;
  uint64_t label_count;
  const oarlock_f64* buckets;
  uint64_t bucket_count;
} oarlock_metric_view;
typedef struct oarlock_host_metrics {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_status (*declare)(oarlock_host_ctx* ctx, const oarlock_metric_view* metric_view,
                            uint64_t* out_metric);
  oarlock_status (*series)(oarlock_host_ctx* ctx, uint64_t metric, const oarlock_str_view* values,
                           uint64_t value_count, uint64_t* out_series);
  oarlock_status (*add)(oarlock_host_ctx* ctx, uint64_t series, oarlock_f64 amount);
  oarlock_status (*set)(oarlock_host_ctx* ctx, uint64_t series, oarlock_f64 value);
  oarlock_status (*observe)(oarlock_host_ctx* ctx, uint64_t series, oarlock_f64 value);
} oarlock_host_metrics;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_READ_H
#define OARLOCK_EXT_READ_H
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_READ "oarlock.read/1"
typedef struct oarlock_reader oarlock_reader;
typedef struct oarlock_read_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_reader* ctx;
  void (*object)(oarlock_reader* ctx, const oarlock_object_view* object_view);
  void (*fail)(oarlock_reader* ctx, oarlock_str_view reason, oarlock_str_view message);
} oarlock_read_out;
typedef struct oarlock_host_read {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_status (*get)(oarlock_host_ctx* ctx, oarlock_str_view resource,
                        oarlock_str_view object_name, const oarlock_read_out* read_out);
} oarlock_host_read;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_REVIEW_H
#define OARLOCK_EXT_REVIEW_H
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_REVIEW "oarlock.review/1"
typedef int32_t oarlock_review_operation;
enum {
  OARLOCK_REVIEW_NONE = 0,
  OARLOCK_REVIEW_CREATE = 1,
  OARLOCK_REVIEW_UPDATE = 2,
  OARLOCK_REVIEW_DELETE = 3
};
typedef struct oarlock_review_view {
  uint32_t struct_size;
  oarlock_review_operation operation;
  oarlock_encoding encoding;
  uint32_t reserved;
  oarlock_str_view controller;
  oarlock_bytes_view object;
  oarlock_bytes_view old_object;
  oarlock_str_view to_api_version;
  int64_t now_unix_ms;
} oarlock_review_view;
typedef struct oarlock_review_ctx oarlock_review_ctx;
typedef struct oarlock_review_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_review_ctx* ctx;
  oarlock_status (*refuse)(oarlock_review_ctx* ctx, oarlock_str_view field_path,
                           oarlock_str_view message);
  oarlock_status (*warn)(oarlock_review_ctx* ctx, oarlock_str_view message);
  oarlock_status (*object)(oarlock_review_ctx* ctx, oarlock_encoding encoding,
                           oarlock_bytes_view object_view);
} oarlock_review_out;
typedef struct oarlock_plugin_review {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_status (*validate)(oarlock_instance* self, const oarlock_review_view* review_view,
                             int64_t time_left_ms, const oarlock_review_out* review_out);
  oarlock_status (*mutate)(oarlock_instance* self, const oarlock_review_view* review_view,
                           int64_t time_left_ms, const oarlock_review_out* review_out);
  oarlock_status (*convert)(oarlock_instance* self, const oarlock_review_view* review_view,
                            int64_t time_left_ms, const oarlock_review_out* review_out);
} oarlock_plugin_review;
#ifdef __cplusplus
}
#endif
#endif
#ifndef OARLOCK_EXT_THREAD_H
#define OARLOCK_EXT_THREAD_H
#if OARLOCK_ABI_MINOR >= 7
#ifdef __cplusplus
extern "C" {
#endif
#define OARLOCK_EXT_THREAD "oarlock.thread/1"
typedef int32_t oarlock_thread;
enum {
  OARLOCK_THREAD_OWN = 0,
  OARLOCK_THREAD_CONTROL = 1,
  OARLOCK_THREAD_WORKER = 2
};
typedef struct oarlock_host_thread {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_thread (*current)(oarlock_host_ctx* ctx);
} oarlock_host_thread;
#ifdef __cplusplus
}
#endif
#endif
#endif
#endif
