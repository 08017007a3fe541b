/* A plugin whose plan breaks the contract in the way that the planned object's name asks for. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"

static oarlock_status log_all(const oarlock_host* host);

static const oarlock_host* host_of_instance;
static const oarlock_plan_out* kept_table;
static const oarlock_error_out* kept_error_out;
static const oarlock_observe_out* kept_observation;

static oarlock_bytes_view bytes(const char* text) {
  const oarlock_bytes_view view = {(const uint8_t*)text, strlen(text)};
  return view;
}

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

static oarlock_status apply(const oarlock_plan_out* out, const char* json) {
  return out->apply(out->ctx, 0, OARLOCK_ENCODING_JSON, bytes(json));
}

static oarlock_status status(const oarlock_plan_out* out, const char* json) {
  return out->status(out->ctx, OARLOCK_ENCODING_JSON, bytes(json));
}

static oarlock_status condition(const oarlock_plan_out* out, const char* type, int32_t value,
                                const char* reason, const char* message) {
  const oarlock_condition_view view = {sizeof(view), value, str(type), str(reason), str(message)};
  return out->condition(out->ctx, &view);
}

static oarlock_status event(const oarlock_plan_out* out, const char* reason, const char* message) {
  return out->event(out->ctx, OARLOCK_EVENT_NORMAL, str(reason), str(message));
}

#define CHILD "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}"

static oarlock_status apply_huge(const oarlock_plan_out* out) {
  const size_t size = 2U << 20U;
  uint8_t* huge = malloc(size);
  if (huge == NULL) return OARLOCK_ERROR;
  memset(huge, ' ', size);
  const oarlock_bytes_view view = {huge, size};
  const oarlock_status s = out->apply(out->ctx, 0, OARLOCK_ENCODING_JSON, view);
  free(huge);
  return s;
}

static oarlock_status apply_many(const oarlock_plan_out* out) {
  for (int i = 0; i < 10000; ++i) {
    char json[128];
    snprintf(json, sizeof(json),
             "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a%d\"}}", i);
    const oarlock_status s = apply(out, json);
    if (s != OARLOCK_OK) return s;
  }
  return OARLOCK_OK;
}

static oarlock_status many_events(const oarlock_plan_out* out) {
  for (int i = 0; i < 1000; ++i) {
    const oarlock_status s = event(out, "Again", "and again");
    if (s != OARLOCK_OK) return s;
  }
  return OARLOCK_OK;
}

static void* apply_here(void* out) {
  return (void*)(intptr_t)apply(out, CHILD);
}

/* The table of a plan on a thread that is not the plan's. */
static oarlock_status apply_elsewhere(const oarlock_plan_out* out) {
  pthread_t other;
  void* answer = NULL;
  if (pthread_create(&other, NULL, apply_here, (void*)out) != 0) return OARLOCK_ERROR;
  pthread_join(other, &answer);
  return (intptr_t)answer == OARLOCK_INVALID ? OARLOCK_OK : OARLOCK_ERROR;
}

static oarlock_status target_call(const oarlock_plan_out* out, const char* resource,
                                  const char* name, const char* uid, int patch) {
  const oarlock_target_view t = {sizeof(t), 0, str(resource), str(name), str(uid), str("")};
  if (!patch) return out->remove(out->ctx, &t, -1, OARLOCK_PROPAGATE_BACKGROUND);
  return out->patch_existing(out->ctx, &t, patch, OARLOCK_ENCODING_JSON, bytes("{\"a\":1}"));
}

#define SECRET "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\"}}"

/* One step of each kind, the apply set in the middle. */
static oarlock_status all_steps(const oarlock_plan_out* out) {
  const oarlock_target_view t = {sizeof(t), 0, str("pods"), str("p"), str("u"), str("7")};
  int32_t sum = 0;
  sum += out->create_once(out->ctx, OARLOCK_ENCODING_JSON, bytes(SECRET));
  sum += apply(out, CHILD);
  sum += out->patch_existing(out->ctx, &t, OARLOCK_PATCH_APPLY, OARLOCK_ENCODING_JSON,
                             bytes("{\"a\":1}"));
  sum += target_call(out, "secrets", "old", "", 0);
  sum += out->swap_status(out->ctx, str("12"), OARLOCK_ENCODING_JSON, bytes("{\"epoch\":3}"));
  return sum == 0 ? OARLOCK_OK : OARLOCK_ERROR;
}

static oarlock_status many_steps(const oarlock_plan_out* out) {
  oarlock_status s = OARLOCK_OK;
  for (int i = 0; i < 1000 && s == OARLOCK_OK; ++i) {
    s = out->swap_status(out->ctx, str("1"), OARLOCK_ENCODING_JSON, bytes("{}"));
  }
  return s;
}

static oarlock_status effect(const oarlock_plan_out* out, const char* name, int32_t encoding,
                             const char* json) {
  return out->effect(out->ctx, str(name), encoding, bytes(json));
}

/* Steps that are refused; OARLOCK_OK: `how` is none of them. */
static oarlock_status bad_step(const char* how, const oarlock_plan_out* out) {
#define IS(word) (strcmp(how, (word)) == 0)
  if (IS("patch-stranger")) return target_call(out, "services", "s", "u", OARLOCK_PATCH_MERGE);
  if (IS("delete-watched")) return target_call(out, "pods", "p", "u", 0);
  if (IS("patch-no-uid")) return target_call(out, "pods", "p", "", OARLOCK_PATCH_MERGE);
  if (IS("patch-no-name")) return target_call(out, "pods", "", "u", OARLOCK_PATCH_MERGE);
  if (IS("patch-kind")) return target_call(out, "pods", "p", "u", 9);
  if (IS("patch-null")) {
    return out->patch_existing(out->ctx, NULL, OARLOCK_PATCH_MERGE, OARLOCK_ENCODING_JSON,
                               bytes("{}"));
  }
  if (IS("patch-old-view")) {
    const oarlock_target_view t = {16, 0, str("pods"), str("p"), str("u"), str("")};
    return out->patch_existing(out->ctx, &t, OARLOCK_PATCH_MERGE, OARLOCK_ENCODING_JSON,
                               bytes("{}"));
  }
  if (IS("delete-applied")) {
    return apply(out, CHILD) + target_call(out, "configmaps", "a", "u", 0);
  }
  if (IS("create-wrong-kind")) {
    return out->create_once(out->ctx, OARLOCK_ENCODING_JSON,
                            bytes("{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":"
                                  "{\"name\":\"a\"}}"));
  }
  if (IS("swap-no-version")) {
    return out->swap_status(out->ctx, str(""), OARLOCK_ENCODING_JSON, bytes("{}"));
  }
  if (IS("swap-conditions")) {
    return out->swap_status(out->ctx, str("1"), OARLOCK_ENCODING_JSON,
                            bytes("{\"conditions\":[]}"));
  }
  if (IS("too-many-steps")) return many_steps(out);
  if (IS("effect-no-name")) return effect(out, "", 1, "{}");
  if (IS("effect-blank")) return effect(out, "a b", 1, "{}");
  if (IS("effect-json")) return effect(out, "a", 1, "{");
  if (IS("effect-encoding")) return effect(out, "a", 42, "{}");
  if (IS("effect-long")) {
    return effect(out, "a123456789b123456789c123456789d123456789e123456789f123456789g123", 1, "{}");
  }
#undef IS
  return OARLOCK_OK;
}

/* Everything right, with the edges of what is allowed. */
static oarlock_status all_well(const oarlock_plan_out* out) {
  int32_t sum = 0;
  sum += apply(out, CHILD);
  sum += out->apply(out->ctx, 7, OARLOCK_ENCODING_JSON,
                    bytes("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":"
                          "{\"name\":\"b\",\"namespace\":\"shop\"}}"));
  sum += status(out, "{\"phase\":\"Fine\"}");
  sum += condition(out, "Ready", OARLOCK_CONDITION_FALSE, "First", "");
  sum += condition(out, "Ready", OARLOCK_CONDITION_TRUE, "Second", "gr\xc3\xbc\xc3\x9f");
  sum += condition(out, "example.com/Odd", 99, "Odd_1", "a status of a later version");
  sum += event(out, "Done", "well");
  sum += out->event(out->ctx, 77, str("Later"), str("a type of a later version"));
  sum += out->requeue_after(out->ctx, 5000);
  sum += out->requeue_after(out->ctx, 3000);
  sum += out->requeue_after(out->ctx, INT64_MAX);
  return sum == 0 ? OARLOCK_OK : OARLOCK_ERROR;
}

static oarlock_status long_event(const oarlock_plan_out* out) {
  char text[3000];
  memset(text, 'x', sizeof(text));
  const oarlock_str_view message = {text, sizeof(text)};
  return out->event(out->ctx, OARLOCK_EVENT_WARNING, str("Long"), message);
}

static oarlock_status ignore(oarlock_status s) {
  return (void)s, OARLOCK_OK;
}

static oarlock_status misbehave(const char* how, const oarlock_plan_out* out) {
  const oarlock_bytes_view null_bytes = {NULL, 5};
  const oarlock_str_view null_str = {NULL, 5};
#define IS(word) (strcmp(how, (word)) == 0)
  if (IS("all-well")) return all_well(out);
  if (IS("silent")) return OARLOCK_OK;
  if (IS("all-steps")) return all_steps(out);
  if (bad_step(how, out) != OARLOCK_OK) return OARLOCK_ERROR;
  if (IS("log")) return log_all(host_of_instance);
  if (IS("long-event")) return long_event(out);
  if (IS("bad-json")) return apply(out, "{\"apiVersion\":");
  if (IS("trailing-json")) return apply(out, CHILD "x");
  if (IS("bad-utf8")) return apply(out, "{\"apiVersion\":\"\xff\xfe\"}");
  if (IS("no-object")) return apply(out, "[1]");
  if (IS("no-name")) return apply(out, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}");
  if (IS("wrong-kind"))
    return apply(out, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"}}");
  if (IS("wrong-namespace"))
    return apply(out,
                 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\","
                 "\"namespace\":\"kube-system\"}}");
  if (IS("twice")) return apply(out, CHILD) + apply(out, CHILD);
  if (IS("null-bytes")) return out->apply(out->ctx, 0, OARLOCK_ENCODING_JSON, null_bytes);
  if (IS("bad-encoding")) return out->apply(out->ctx, 0, 42, bytes(CHILD));
  if (IS("null-ctx")) return out->apply(NULL, 0, OARLOCK_ENCODING_JSON, bytes(CHILD));
  if (IS("huge")) return apply_huge(out);
  if (IS("too-many")) return apply_many(out);
  if (IS("too-many-events")) return many_events(out);
  if (IS("status-twice")) return status(out, "{}") + status(out, "{}");
  if (IS("status-no-object")) return status(out, "3");
  if (IS("status-conditions")) return status(out, "{\"conditions\":[]}");
  if (IS("null-condition")) return out->condition(out->ctx, NULL);
  if (IS("old-condition")) {
    const oarlock_condition_view view = {8, 1, str("Ready"), str("R"), str("")};
    return out->condition(out->ctx, &view);
  }
  if (IS("condition-no-reason")) return condition(out, "Ready", 1, "", "");
  if (IS("condition-bad-reason")) return condition(out, "Ready", 1, "not camel case", "");
  if (IS("condition-bad-type")) return condition(out, "so bad", 1, "R", "");
  if (IS("condition-bad-utf8")) return condition(out, "Ready", 1, "R", "\xc3(");
  if (IS("event-null")) return out->event(out->ctx, 0, str("R"), null_str);
  if (IS("event-cut-utf8")) return event(out, "R", "ends in the middle \xe2\x82");
  if (IS("requeue-negative")) return out->requeue_after(out->ctx, -1);
  if (IS("ignored-refusal")) return ignore(apply(out, "nonsense"));
  if (IS("error-with-reason")) {
    out->fail(out->ctx, str("DatabaseAway"), str("expected an answer, found none"));
    return OARLOCK_ERROR;
  }
  if (IS("terminal-with-reason")) {
    out->fail(out->ctx, str("BadSpec"), str("expected x, found y"));
    return OARLOCK_TERMINAL;
  }
  if (IS("error-without-reason")) return OARLOCK_ERROR;
  if (IS("unknown-status")) return 4711;
  if (IS("ok-after-fail")) return out->fail(out->ctx, str("Odd"), str("but fine"));
  if (IS("finished")) return out->finished(out->ctx);
  if (IS("keep-table")) return kept_table = out, OARLOCK_OK;
  if (IS("late-error")) {
    return kept_error_out->set(kept_error_out->ctx, str("too late")), OARLOCK_OK;
  }
  if (IS("requeue-zero")) return out->requeue_after(out->ctx, 0);
  if (IS("other-thread")) return apply_elsewhere(out);
  if (IS("see-null-ctx")) return OARLOCK_OK;
  if (IS("see-kept")) {
    const oarlock_status late =
        kept_observation->answer(kept_observation->ctx, OARLOCK_ENCODING_JSON, bytes("{}"));
    return late == OARLOCK_INVALID ? OARLOCK_OK : OARLOCK_ERROR;
  }
#undef IS
  return OARLOCK_TERMINAL;
}

static oarlock_status log_all(const oarlock_host* host) {
  const oarlock_host_log* log = host->extension(host->ctx, str(OARLOCK_EXT_LOG));
  if (log == NULL || host->extension(host->ctx, str("oarlock.nonsense/1")) != NULL) {
    return OARLOCK_ERROR;
  }
  oarlock_pair_view pairs[20];
  for (int i = 0; i < 20; ++i) {
    pairs[i].key = str("filler");
    pairs[i].value = str("x");
  }
  pairs[0].key = str("replicas");
  pairs[0].value = str("3");
  pairs[1].key = str("plugin");
  pairs[1].value = str("myself");
  pairs[2].key = str("bad key\n=");
  pairs[2].value = str("line\nbreak");
  log->write(host->ctx, OARLOCK_LOG_WARN, str("the rogue speaks"), pairs, 20);
  log->write(host->ctx, OARLOCK_LOG_ERROR, str("no pairs"), NULL, 3);
  log->write(NULL, OARLOCK_LOG_ERROR, str("no context"), NULL, 0);
  return OARLOCK_OK;
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* create_view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  static const char haunt[] = "{\"haunt\":1}";
  (void)error_out;
  if (create_view->config.size == sizeof(haunt) - 1 &&
      memcmp(create_view->config.data, haunt, sizeof(haunt) - 1) == 0) {
    /* What an instance that is gone was given. */
    log_all(host_of_instance);
    if (kept_table != NULL && apply(kept_table, CHILD) != OARLOCK_INVALID) abort();
  }
  host_of_instance = host;
  kept_table = NULL;
  *out_instance = (oarlock_instance*)&instance;
  return OARLOCK_OK;
}

static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) {
  (void)self;
  kept_error_out = error_out;
  return OARLOCK_OK;
}

static oarlock_status observe(oarlock_instance* self, const oarlock_plan_view* view,
                              int64_t time_left_ms, const oarlock_observe_out* out) {
  const oarlock_bytes_view null = {NULL, 5};
  char how[64] = "";
  (void)self, (void)time_left_ms;
  if (view->object_name.size < sizeof(how)) {
    memcpy(how, view->object_name.data, view->object_name.size);
  }
#define IS(word) (strcmp(how, (word)) == 0)
  if (IS("see-bad-json")) return out->answer(out->ctx, OARLOCK_ENCODING_JSON, bytes("{"));
  if (IS("see-null")) return out->answer(out->ctx, OARLOCK_ENCODING_JSON, null);
  if (IS("see-encoding")) return out->answer(out->ctx, 42, bytes("{}"));
  if (IS("see-ignored")) return out->answer(out->ctx, OARLOCK_ENCODING_JSON, bytes("{")), 0;
  if (IS("see-silent-error")) return OARLOCK_TERMINAL;
  if (IS("see-ok-after-fail")) return out->fail(out->ctx, str("Odd"), str("but fine"));
  if (IS("see-null-ctx")) {
    return out->answer(NULL, OARLOCK_ENCODING_JSON, bytes("{}")) == OARLOCK_INVALID ? OARLOCK_OK
                                                                                    : OARLOCK_ERROR;
  }
  if (IS("see-kept")) return kept_observation = out, OARLOCK_OK;
#undef IS
  return OARLOCK_OK;
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  char how[64] = "";
  (void)self;
  if (view->object_name.size < sizeof(how)) {
    memcpy(how, view->object_name.data, view->object_name.size);
  }
  return misbehave(how, out);
}

static void drain(oarlock_instance* self) {
  (void)self;
  if (kept_table != NULL && apply(kept_table, CHILD) != OARLOCK_INVALID) abort();
}

ZOO_PLUGIN(.create = create, .start = start, .plan = plan, .drain = drain, .stop = nothing,
           .destroy = nothing, .observe = observe);
