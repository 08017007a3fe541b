/* A plugin that calls, on a thread of its own, each slot of its host that is for one call and the
 * thread of that. */
#include <pthread.h>
#include <string.h>

#include "plain.h"

static const oarlock_host* host_of_instance;
static int refused_all = 1;

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

static oarlock_bytes_view bytes(const char* text) {
  const oarlock_bytes_view view = {(const uint8_t*)text, strlen(text)};
  return view;
}

static void expect_refused(oarlock_status answer) {
  if (answer != OARLOCK_INVALID) refused_all = 0;
}

/* --- all slots of one table --- */

static void* of_observe(void* table) {
  const oarlock_observe_out* out = table;
  expect_refused(out->answer(out->ctx, OARLOCK_ENCODING_JSON, bytes("{}")));
  expect_refused(out->fail(out->ctx, str("Reason"), str("message")));
  return NULL;
}

static void* of_plan(void* table) {
  static const char child[] =
      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}";
  const oarlock_plan_out* out = table;
  oarlock_plan_ctx* ctx = out->ctx;
  const oarlock_condition_view condition = {sizeof(condition), 1, TEXT("Ready"), TEXT("R"),
                                            TEXT("")};
  const oarlock_target_view target = {sizeof(target), 0,         TEXT("pods"),
                                      TEXT("p"),      TEXT("u"), TEXT("7")};
  expect_refused(out->apply(ctx, 0, OARLOCK_ENCODING_JSON, bytes(child)));
  expect_refused(out->status(ctx, OARLOCK_ENCODING_JSON, bytes("{}")));
  expect_refused(out->condition(ctx, &condition));
  expect_refused(out->event(ctx, OARLOCK_EVENT_NORMAL, str("Reason"), str("message")));
  expect_refused(out->requeue_after(ctx, 1000));
  expect_refused(out->fail(ctx, str("Reason"), str("message")));
  expect_refused(out->finished(ctx));
  expect_refused(out->create_once(ctx, OARLOCK_ENCODING_JSON, bytes(child)));
  expect_refused(out->patch_existing(ctx, &target, OARLOCK_PATCH_MERGE, OARLOCK_ENCODING_JSON,
                                     bytes("{\"a\":1}")));
  expect_refused(out->remove(ctx, &target, -1, OARLOCK_PROPAGATE_BACKGROUND));
  expect_refused(out->swap_status(ctx, str("12"), OARLOCK_ENCODING_JSON, bytes("{}")));
  expect_refused(out->effect(ctx, str("go"), OARLOCK_ENCODING_JSON, bytes("{}")));
  return NULL;
}

static void* of_effect(void* table) {
  const oarlock_effect_out* out = table;
  expect_refused(out->fail(out->ctx, str("Reason"), str("message")));
  return NULL;
}

static void* of_request(void* table) {
  const oarlock_inbound_out* out = table;
  expect_refused(out->answer(out->ctx, 200, str(""), bytes("x")));
  expect_refused(out->note(out->ctx, str("zoo"), str("a"), OARLOCK_ENCODING_JSON, bytes("1")));
  return NULL;
}

static void* of_review(void* table) {
  const oarlock_review_out* out = table;
  expect_refused(out->refuse(out->ctx, str("spec"), str("message")));
  expect_refused(out->warn(out->ctx, str("message")));
  expect_refused(out->object(out->ctx, OARLOCK_ENCODING_JSON, bytes("{}")));
  return NULL;
}

static void take_nothing(oarlock_reader* ctx, const oarlock_object_view* object) {
  (void)ctx, (void)object;
}

static void take_reason(oarlock_reader* ctx, oarlock_str_view reason, oarlock_str_view message) {
  (void)ctx, (void)reason, (void)message;
}

static void* of_host(void* nothing) {
  oarlock_host_ctx* ctx = host_of_instance->ctx;
  const oarlock_host_read* reads = host_of_instance->extension(ctx, str(OARLOCK_EXT_READ));
  const oarlock_host_cache* cache = host_of_instance->extension(ctx, str(OARLOCK_EXT_CACHE));
  const oarlock_read_out out = {sizeof(out), 0, NULL, take_nothing, take_reason};
  const oarlock_query_view query = {
      .struct_size = sizeof(query), .resource = TEXT("configmaps"), .object_namespace = TEXT("")};
  oarlock_object_view object = {.struct_size = sizeof(object)};
  uint64_t cursor = 0;
  (void)nothing;
  expect_refused(reads->get(ctx, str("configmaps"), str("a"), &out));
  expect_refused(cache->open(ctx, &query, &cursor));
  expect_refused(cache->next(ctx, cursor, &object));
  expect_refused(cache->close(ctx, cursor));
  return NULL;
}

static oarlock_status elsewhere(void* (*call)(void*), const void* table) {
  pthread_t other;
  if (pthread_create(&other, NULL, call, (void*)table) != 0) return OARLOCK_ERROR;
  pthread_join(other, NULL);
  return refused_all ? OARLOCK_OK : OARLOCK_ERROR;
}

/* --- the plugin --- */

static oarlock_status observe(oarlock_instance* self, const oarlock_plan_view* view,
                              int64_t time_left_ms, const oarlock_observe_out* out) {
  (void)self, (void)view, (void)time_left_ms;
  return elsewhere(of_observe, out) + elsewhere(of_host, NULL);
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  (void)self, (void)view;
  return elsewhere(of_plan, out);
}

static oarlock_status effect(oarlock_instance* self, const oarlock_effect_view* view,
                             int64_t time_left_ms, const oarlock_effect_out* out) {
  (void)self, (void)view, (void)time_left_ms;
  return elsewhere(of_effect, out);
}

static oarlock_status request(oarlock_instance* self, const oarlock_request_view* view,
                              int64_t time_left_ms, const oarlock_inbound_out* out) {
  (void)self, (void)view, (void)time_left_ms;
  return elsewhere(of_request, out);
}

static oarlock_status validate(oarlock_instance* self, const oarlock_review_view* view,
                               int64_t time_left_ms, const oarlock_review_out* out) {
  (void)self, (void)view, (void)time_left_ms;
  return elsewhere(of_review, out);
}

static const void* extension(oarlock_instance* self, oarlock_str_view id) {
  static const oarlock_plugin_inbound inbound = {sizeof(inbound), 0, request};
  static const oarlock_plugin_review review = {sizeof(review), 0, validate, NULL, NULL};
  static const char* const reviews = OARLOCK_EXT_REVIEW;
  (void)self;
  if (id.size == strlen(reviews) && memcmp(id.data, reviews, id.size) == 0) return &review;
  return &inbound;
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  (void)view, (void)error_out;
  host_of_instance = host;
  *out_instance = (oarlock_instance*)&instance;
  return OARLOCK_OK;
}

ZOO_PLUGIN(.create = create, .start = start_plainly, .plan = plan, .drain = nothing,
           .stop = nothing, .destroy = nothing, .observe = observe, .effect = effect,
           .extension = extension);
