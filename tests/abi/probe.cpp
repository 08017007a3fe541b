// Exports a variable of every struct and every enum of the ABI, for abidiff: it does not see what
// is only reached through a void pointer, and compilers describe only what is used whole. The
// guard's tests build it against headers of their own.
#include "oarlock/oarlock.h"

extern "C" {

oarlock_bytes_view probe_bytes_view;
oarlock_condition_view probe_condition_view;
oarlock_create_view probe_create_view;
oarlock_effect_out probe_effect_out;
oarlock_effect_view probe_effect_view;
oarlock_error_out probe_error_out;
oarlock_failure_view probe_failure_view;
oarlock_host probe_host;
oarlock_host_cache probe_host_cache;
oarlock_host_clock probe_host_clock;
oarlock_host_event_source probe_host_event_source;
oarlock_host_leadership probe_host_leadership;
oarlock_host_log probe_host_log;
oarlock_host_metrics probe_host_metrics;
oarlock_host_read probe_host_read;
oarlock_host_thread probe_host_thread;
oarlock_inbound_out probe_inbound_out;
oarlock_inbound_view probe_inbound_view;
oarlock_metric_view probe_metric_view;
oarlock_note_view probe_note_view;
oarlock_object_view probe_object_view;
oarlock_observe_out probe_observe_out;
oarlock_pair_view probe_pair_view;
oarlock_plan_out probe_plan_out;
oarlock_plan_view probe_plan_view;
oarlock_plugin probe_plugin;
oarlock_plugin_entry probe_plugin_entry;
oarlock_plugin_inbound probe_plugin_inbound;
oarlock_plugin_review probe_plugin_review;
oarlock_query_view probe_query_view;
oarlock_read_out probe_read_out;
oarlock_request_view probe_request_view;
oarlock_review_out probe_review_out;
oarlock_review_view probe_review_view;
oarlock_str_view probe_str_view;
oarlock_target_view probe_target_view;

// The enums have no name, so a constant stands for each.
struct probe_enums {
  decltype(OARLOCK_CONDITION_FALSE) condition_status;
  decltype(OARLOCK_ENCODING_JSON) encoding;
  decltype(OARLOCK_EVENT_NORMAL) event_type;
  decltype(OARLOCK_LOG_DEBUG) log_level;
  decltype(OARLOCK_METRIC_COUNTER) metric_kind;
  decltype(OARLOCK_OK) status;
  decltype(OARLOCK_PATCH_MERGE) patch_kind;
  decltype(OARLOCK_PROPAGATE_BACKGROUND) propagation;
  decltype(OARLOCK_REVIEW_NONE) review_operation;
  decltype(OARLOCK_THREAD_OWN) thread;
} probe_enum_values;

}  // extern "C"
