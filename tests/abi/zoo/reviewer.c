/* A plugin that reviews objects; the object says by "do" what its review does, right or wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain.h"

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

static int holds(oarlock_bytes_view bytes, const char* text) {
  const size_t size = strlen(text);
  for (uint64_t i = 0; i + size <= bytes.size; ++i) {
    if (memcmp(bytes.data + i, text, size) == 0) return 1;
  }
  return 0;
}

static int does(const oarlock_review_view* view, const char* what) {
  char text[64];
  (void)snprintf(text, sizeof(text), "\"do\":\"%s\"", what);
  return holds(view->object, text) || holds(view->old_object, text);
}

/* An object of that version and metadata. */
static oarlock_status give(const oarlock_review_out* out, const char* version, const char* meta) {
  char json[512];
  const int size = snprintf(json, sizeof(json),
                            "{\"apiVersion\":\"%s\",\"kind\":\"Animal\",\"metadata\":{%s},"
                            "\"made\":true}",
                            version, meta);
  const oarlock_bytes_view bytes = {(const uint8_t*)json, (uint64_t)size};
  return out->object(out->ctx, OARLOCK_ENCODING_JSON, bytes);
}

#define SAME "\"name\":\"one\",\"namespace\":\"shop\",\"uid\":\"u-1\""

/* What goes wrong in any of the three. */
static oarlock_status any(const oarlock_review_view* view, const oarlock_review_out* out) {
  static char large[3 * 1024 * 1024 + 1];
  if (does(view, "warn")) {
    for (int i = 0; i < 20; ++i)
      (void)out->warn(out->ctx, str("it is old"));
  }
  if (does(view, "refuse")) return out->refuse(out->ctx, str("spec.legs"), str("expected 4 legs"));
  if (does(view, "refuse-badly")) (void)out->refuse(out->ctx, str("spec"), str("\xff"));
  if (does(view, "fail")) return OARLOCK_ERROR;
  if (does(view, "unknown-status")) return 77;
  if (does(view, "not-json")) {
    const oarlock_bytes_view bytes = {(const uint8_t*)"{", 1};
    return out->object(out->ctx, OARLOCK_ENCODING_JSON, bytes);
  }
  if (does(view, "too-large")) {
    const oarlock_bytes_view bytes = {(const uint8_t*)large, sizeof(large)};
    (void)out->object(out->ctx, OARLOCK_ENCODING_JSON, bytes);
  }
  if (does(view, "crash")) *(volatile int*)8 = 1;
  while (does(view, "hang"))
    sleep(1);
  return OARLOCK_OK;
}

static oarlock_status validate(oarlock_instance* self, const oarlock_review_view* view,
                               int64_t time_left_ms, const oarlock_review_out* out) {
  (void)self;
  if (does(view, "tell")) {
    char told[256];
    (void)snprintf(told, sizeof(told), "%d %.*s %d %d %lld %s", view->operation,
                   (int)view->controller.size, view->controller.data, (int)view->object.size,
                   (int)view->old_object.size, (long long)view->now_unix_ms,
                   time_left_ms > 0 ? "in time" : "late");
    return out->warn(out->ctx, str(told));
  }
  return any(view, out);
}

static oarlock_status change(const oarlock_review_view* view, const char* version,
                             const oarlock_review_out* out) {
  if (does(view, "label")) {
    return give(out, version, SAME ",\"generation\":9,\"labels\":{\"a\":\"b\"}");
  }
  if (does(view, "rename")) {
    return give(out, version, "\"name\":\"two\",\"namespace\":\"shop\",\"uid\":\"u-1\"");
  }
  if (does(view, "move")) {
    return give(out, version, "\"name\":\"one\",\"namespace\":\"other\",\"uid\":\"u-1\"");
  }
  if (does(view, "other-uid")) {
    return give(out, version, "\"name\":\"one\",\"namespace\":\"shop\",\"uid\":\"u-2\"");
  }
  if (does(view, "other-version")) return give(out, "example.com/v9", SAME);
  return any(view, out);
}

static oarlock_status mutate(oarlock_instance* self, const oarlock_review_view* view,
                             int64_t time_left_ms, const oarlock_review_out* out) {
  (void)self, (void)time_left_ms;
  return change(view, "example.com/v1", out);
}

static oarlock_status convert(oarlock_instance* self, const oarlock_review_view* view,
                              int64_t time_left_ms, const oarlock_review_out* out) {
  char version[64];
  (void)self, (void)time_left_ms;
  (void)snprintf(version, sizeof(version), "%.*s", (int)view->to_api_version.size,
                 view->to_api_version.data);
  return change(view, version, out);
}

static const void* extension(oarlock_instance* self, oarlock_str_view id) {
  static const oarlock_plugin_review review = {sizeof(review), 0, validate, mutate, convert};
  static const char* const ours = OARLOCK_EXT_REVIEW;
  (void)self;
  return id.size == strlen(ours) && memcmp(id.data, ours, id.size) == 0 ? &review : NULL;
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  (void)host, (void)view, (void)error_out;
  *out_instance = (oarlock_instance*)&instance;
  return OARLOCK_OK;
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  (void)self, (void)view, (void)out;
  return OARLOCK_OK;
}

ZOO_PLUGIN(.create = create, .start = start_plainly, .plan = plan, .drain = nothing,
           .stop = nothing, .destroy = nothing, .extension = extension);
