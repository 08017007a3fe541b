/* The contract plugin in C. Its behaviour is that of contract.cpp, rust/ and go/, and is what
 * contract_test.cpp expects: the planned object's name, up to the first dot, says what plan() does.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oarlock/oarlock.h"

#define TEXT(literal) {(literal), sizeof(literal) - 1}

struct oarlock_instance {
  const oarlock_host* host;
  const oarlock_host_log* log;
  uint8_t* config;
  uint64_t config_size;
  const oarlock_host_thread* thread;
  oarlock_thread created, begun;
};

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

static oarlock_bytes_view bytes(const char* text) {
  const oarlock_bytes_view view = {(const uint8_t*)text, strlen(text)};
  return view;
}

/* --- what a plan sees, as text --- */

typedef struct text {
  char data[16384];
  size_t size;
} text;

static void add(text* to, const char* more, size_t size) {
  if (size > sizeof(to->data) - to->size) size = sizeof(to->data) - to->size;
  memcpy(to->data + to->size, more, size);
  to->size += size;
}

static void add_str(text* to, const char* more) {
  add(to, more, strlen(more));
}

/* FNV-1a: the test knows what was lent, so size and hash say that all of it arrived. */
static uint64_t hash_of(const void* data, uint64_t size, uint64_t hash) {
  const uint8_t* at = data;
  for (uint64_t i = 0; i < size; ++i)
    hash = (hash ^ at[i]) * 1099511628211U;
  return hash;
}
static const uint64_t hash_begin = 14695981039346656037U;

static void add_digest(text* to, const void* data, uint64_t size) {
  char line[64];
  snprintf(line, sizeof(line), "%llu-%016llx", (unsigned long long)size,
           (unsigned long long)hash_of(data, size, hash_begin));
  add_str(to, line);
}

static void add_object(text* to, const oarlock_object_view* object) {
  add_str(to, "\"");
  add(to, object->resource.data, object->resource.size);
  add_str(to, object->encoding == OARLOCK_ENCODING_JSON ? " json " : " other ");
  add_digest(to, object->bytes.data, object->bytes.size);
  add_str(to, "\"");
}

static void add_objects(text* to, const oarlock_object_view* first, uint64_t count,
                        uint32_t stride) {
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) add_str(to, ",");
    add_object(to, (const oarlock_object_view*)((const char*)first + i * stride));
  }
}

static void add_failure(text* to, const oarlock_failure_view* failure) {
  text whole = {.size = 0};
  if (failure == NULL) return;
  add(&whole, failure->step.data, failure->step.size);
  add_str(&whole, "\n");
  add(&whole, failure->reason.data, failure->reason.size);
  add_str(&whole, "\n");
  add(&whole, failure->message.data, failure->message.size);
  add_digest(to, whole.data, whole.size);
}

static void add_number(text* to, const char* label, int64_t value) {
  char line[64];
  snprintf(line, sizeof(line), "%s%lld", label, (long long)value);
  add_str(to, line);
}

static oarlock_status echo(const oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  text seen = {.size = 0};
  add_str(&seen, "{\"controller\":\"");
  add(&seen, view->controller.data, view->controller.size);
  add_str(&seen, "\",\"key\":\"");
  add(&seen, view->object_namespace.data, view->object_namespace.size);
  add_str(&seen, "/");
  add(&seen, view->object_name.data, view->object_name.size);
  add_number(&seen, "\",\"now\":", view->now_unix_ms);
  add_number(&seen, ",\"deleting\":", view->deleting);
  add_str(&seen, ",\"primary\":");
  add_object(&seen, view->primary);
  add_str(&seen, ",\"owned\":[");
  add_objects(&seen, view->owned, view->owned_count, view->object_stride);
  add_str(&seen, "],\"watched\":[");
  add_objects(&seen, view->watched, view->watched_count, view->object_stride);
  add_str(&seen, "],\"lastFailure\":\"");
  add_failure(&seen, view->last_failure);
  add_str(&seen, "\",\"config\":\"");
  add_digest(&seen, self->config, self->config_size);
  add_number(&seen, "\",\"observed\":", (int64_t)view->observation.size);
  add_str(&seen, "}");
  const oarlock_bytes_view status = {(const uint8_t*)seen.data, seen.size};
  return out->status(out->ctx, OARLOCK_ENCODING_JSON, status);
}

/* --- what a plan says --- */

#define OBJECT(kind, name) \
  "{\"apiVersion\":\"v1\",\"kind\":\"" kind "\",\"metadata\":{\"name\":\"" name "\"}}"

static oarlock_status apply(const oarlock_plan_out* out, uint32_t group, const char* json) {
  return out->apply(out->ctx, group, OARLOCK_ENCODING_JSON, bytes(json));
}

static oarlock_status condition(const oarlock_plan_out* out, const char* type,
                                oarlock_condition_status status) {
  const oarlock_condition_view view = {sizeof(view), status, str(type), str("AsAsked"),
                                       str("gr\xc3\xbc\xc3\x9f")};
  return out->condition(out->ctx, &view);
}

/* Each step once, with the apply set in the middle. */
static oarlock_status steps(const oarlock_plan_out* out) {
  const oarlock_target_view pod = {sizeof(pod), 0, str("pods"), str("p"), str("u"), str("7")};
  const oarlock_target_view old = {sizeof(old), 0, str("secrets"), str("old"), str(""), str("")};
  oarlock_status s =
      out->create_once(out->ctx, OARLOCK_ENCODING_JSON, bytes(OBJECT("Secret", "once")));
  if (s == OARLOCK_OK) s = apply(out, 0, OBJECT("ConfigMap", "a"));
  if (s == OARLOCK_OK) s = apply(out, 7, OBJECT("ConfigMap", "b"));
  if (s == OARLOCK_OK) {
    s = out->patch_existing(out->ctx, &pod, OARLOCK_PATCH_MERGE, OARLOCK_ENCODING_JSON,
                            bytes("{\"a\":1}"));
  }
  if (s == OARLOCK_OK) s = out->remove(out->ctx, &old, 5, OARLOCK_PROPAGATE_FOREGROUND);
  if (s == OARLOCK_OK) {
    s = out->swap_status(out->ctx, str("12"), OARLOCK_ENCODING_JSON, bytes("{\"epoch\":3}"));
  }
  return s;
}

/* The same twice over: with a payload and without. */
static oarlock_status effects(const oarlock_plan_out* out) {
  const oarlock_bytes_view none = {NULL, 0};
  oarlock_status s =
      out->effect(out->ctx, str("paint-1"), OARLOCK_ENCODING_JSON, bytes("{\"color\":\"red\"}"));
  if (s == OARLOCK_OK) s = apply(out, 0, OBJECT("ConfigMap", "a"));
  if (s == OARLOCK_OK) s = out->effect(out->ctx, str("dry"), OARLOCK_ENCODING_JSON, none);
  return s;
}

static oarlock_status say(const oarlock_plan_out* out) {
  oarlock_status s = condition(out, "Ready", OARLOCK_CONDITION_TRUE);
  if (s == OARLOCK_OK) s = condition(out, "Warm", OARLOCK_CONDITION_UNKNOWN);
  if (s == OARLOCK_OK) {
    s = out->event(out->ctx, OARLOCK_EVENT_NORMAL, str("Went"), str("as it should"));
  }
  if (s == OARLOCK_OK) {
    s = out->event(out->ctx, OARLOCK_EVENT_WARNING, str("Smoked"), str("a little"));
  }
  if (s == OARLOCK_OK) s = out->requeue_after(out->ctx, 3000);
  return s;
}

static oarlock_status fail(const oarlock_plan_out* out, oarlock_status status, const char* reason,
                           const char* message) {
  out->fail(out->ctx, str(reason), str(message));
  return status;
}

/* Of a kind that plugin.yaml does not list: the call says so by its status. */
static oarlock_status refused(const oarlock_plan_out* out) {
  return apply(out, 0, OBJECT("Node", "n")) == OARLOCK_INVALID ? OARLOCK_OK : OARLOCK_ERROR;
}

/* What pods have left, and how they reach the daemon. */
static oarlock_status notes(const oarlock_plan_view* view, const oarlock_plan_out* out) {
  text seen = {.size = 0};
  add_str(&seen, "{\"notes\":[");
  for (uint64_t i = 0; i < view->note_count; ++i) {
    const oarlock_note_view* note =
        (const oarlock_note_view*)((const char*)view->notes + i * view->note_stride);
    const oarlock_str_view words[] = {note->name, note->service_account, note->pod_name,
                                      note->pod_uid};
    add_str(&seen, i > 0 ? ",\"" : "\"");
    for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); ++w) {
      add(&seen, words[w].data, words[w].size);
      add_str(&seen, " ");
    }
    add_digest(&seen, note->bytes.data, note->bytes.size);
    add_number(&seen, " ", note->recorded_unix_ms);
    add_str(&seen, "\"");
  }
  add_str(&seen, "],\"inbound\":\"");
  if (view->inbound != NULL) {
    add(&seen, view->inbound->url.data, view->inbound->url.size);
    add_str(&seen, " ");
    add(&seen, view->inbound->audience.data, view->inbound->audience.size);
    add_str(&seen, " ");
    add_digest(&seen, view->inbound->ca_pem.data, view->inbound->ca_pem.size);
  }
  add_str(&seen, "\"}");
  const oarlock_bytes_view status = {(const uint8_t*)seen.data, seen.size};
  return out->status(out->ctx, OARLOCK_ENCODING_JSON, status);
}

static oarlock_status log_record(const oarlock_instance* self) {
  const oarlock_pair_view pairs[] = {{TEXT("color"), TEXT("blue")}};
  if (self->log == NULL || !self->log->enabled(self->host->ctx, OARLOCK_LOG_WARN)) {
    return OARLOCK_ERROR;
  }
  self->log->write(self->host->ctx, OARLOCK_LOG_WARN, str("the contract speaks"), pairs, 1);
  return OARLOCK_OK;
}

/* --- oarlock.thread/1 --- */

static oarlock_thread here(const oarlock_instance* self) {
  return self->thread == NULL ? -1 : self->thread->current(self->host->ctx);
}

struct look {
  const oarlock_instance* self;
  oarlock_thread found;
};

static void* look_around(void* out) {
  struct look* look = out;
  look->found = here(look->self);
  return NULL;
}

/* What each thread was: that of create(), start(), plan() and one of its own. */
static oarlock_status threads(const oarlock_instance* self, const oarlock_plan_out* out) {
  pthread_t other;
  struct look look = {self, -1};
  char seen[96];
  if (pthread_create(&other, NULL, look_around, &look) != 0) return OARLOCK_ERROR;
  pthread_join(other, NULL);
  snprintf(seen, sizeof(seen), "{\"create\":%d,\"start\":%d,\"plan\":%d,\"own\":%d}",
           (int)self->created, (int)self->begun, (int)here(self), (int)look.found);
  return out->status(out->ctx, OARLOCK_ENCODING_JSON, bytes(seen));
}

static int is_word(oarlock_str_view found, const char* word) {
  return found.size == strlen(word) && memcmp(found.data, word, found.size) == 0;
}

static int is_asked(const oarlock_plan_view* view, const char* word) {
  oarlock_str_view name = view->object_name;
  const char* dot = memchr(name.data, '.', name.size);
  if (dot != NULL) name.size = (uint64_t)(dot - name.data);
  return is_word(name, word);
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  if (is_asked(view, "echo")) return echo(self, view, out);
  if (is_asked(view, "observe") || is_asked(view, "read")) {
    return out->status(out->ctx, view->observation_encoding, view->observation);
  }
  if (is_asked(view, "steps")) return steps(out);
  if (is_asked(view, "effects")) return effects(out);
  if (is_asked(view, "say")) return say(out);
  if (is_asked(view, "finish")) return out->finished(out->ctx);
  if (is_asked(view, "retry")) return fail(out, OARLOCK_ERROR, "Later", "not yet");
  if (is_asked(view, "terminal")) return fail(out, OARLOCK_TERMINAL, "Never", "cannot be");
  /* C has nothing to throw; elsewhere this is an exception or a panic that was caught. */
  if (is_asked(view, "throw")) return fail(out, OARLOCK_TERMINAL, "PluginThrew", "as asked");
  if (is_asked(view, "refused")) return refused(out);
  if (is_asked(view, "notes")) return notes(view, out);
  if (is_asked(view, "log")) return log_record(self);
  if (is_asked(view, "threads")) return threads(self, out);
  return OARLOCK_OK;
}

/* --- oarlock.read/1 --- */

struct oarlock_reader {
  text seen;
  const oarlock_observe_out* out;
};

static void take_object(oarlock_reader* ctx, const oarlock_object_view* view) {
  add_digest(&ctx->seen, view->bytes.data, view->bytes.size);
}

static void take_failure(oarlock_reader* ctx, oarlock_str_view reason, oarlock_str_view message) {
  ctx->out->fail(ctx->out->ctx, reason, message);
}

/* Answers with the digest of the Secret <name>-root. */
static oarlock_status read_secret(const oarlock_instance* self, const oarlock_plan_view* view,
                                  const oarlock_observe_out* out) {
  struct oarlock_reader found = {.out = out};
  const oarlock_read_out to = {sizeof(to), 0, &found, take_object, take_failure};
  const oarlock_host_read* reads = self->host->extension(self->host->ctx, str(OARLOCK_EXT_READ));
  text name = {.size = 0}, said = {.size = 0};
  add(&name, view->object_name.data, view->object_name.size);
  add_str(&name, "-root");
  const oarlock_str_view secret = {name.data, name.size};
  const oarlock_status done = reads->get(self->host->ctx, str("secrets"), secret, &to);
  if (done != OARLOCK_OK) return done;
  if (found.seen.size == 0) add_str(&found.seen, "none");
  add_str(&said, "{\"read\":\"");
  add(&said, found.seen.data, found.seen.size);
  add_str(&said, "\"}");
  const oarlock_bytes_view answer = {(const uint8_t*)said.data, said.size};
  return out->answer(out->ctx, OARLOCK_ENCODING_JSON, answer);
}

/* What a plan gets to see of it is the digest of the primary. */
static oarlock_status observe(oarlock_instance* self, const oarlock_plan_view* view,
                              int64_t time_left_ms, const oarlock_observe_out* out) {
  text seen = {.size = 0};
  if (is_asked(view, "read")) return read_secret(self, view, out);
  if (is_asked(view, "observe-fails")) {
    out->fail(out->ctx, str("ServerAway"), str("expected an answer, found none"));
    return OARLOCK_ERROR;
  }
  if (!is_asked(view, "observe") && !is_asked(view, "effects")) return OARLOCK_OK;
  if (time_left_ms <= 0) return OARLOCK_ERROR;
  add_str(&seen, "{\"seen\":\"");
  add_digest(&seen, view->primary->bytes.data, view->primary->bytes.size);
  add_str(&seen, "\"}");
  const oarlock_bytes_view answer = {(const uint8_t*)seen.data, seen.size};
  return out->answer(out->ctx, OARLOCK_ENCODING_JSON, answer);
}

/* --- effects: the name says what is done --- */

/* Tells through the failure all that it was lent. */
static oarlock_status tell(const oarlock_effect_view* view, int64_t time_left_ms,
                           const oarlock_effect_out* out) {
  text seen = {.size = 0};
  add(&seen, view->controller.data, view->controller.size);
  add_str(&seen, " ");
  add(&seen, view->object_namespace.data, view->object_namespace.size);
  add_str(&seen, "/");
  add(&seen, view->object_name.data, view->object_name.size);
  add_str(&seen, " ");
  add_object(&seen, view->primary);
  add_str(&seen, " ");
  add(&seen, (const char*)view->payload.data, view->payload.size);
  add_str(&seen, " ");
  add(&seen, (const char*)view->observation.data, view->observation.size);
  add_number(&seen, " ", view->lease_valid_until_ns);
  add_str(&seen, time_left_ms > 0 ? " in time" : " late");
  const oarlock_str_view message = {seen.data, seen.size};
  out->fail(out->ctx, str("Told"), message);
  return OARLOCK_ERROR;
}

static oarlock_status effect(oarlock_instance* self, const oarlock_effect_view* view,
                             int64_t time_left_ms, const oarlock_effect_out* out) {
  if (is_word(view->name, "tell")) return tell(view, time_left_ms, out);
  if (is_word(view->name, "log")) return log_record(self);
  if (is_word(view->name, "threads")) {
    return here(self) == OARLOCK_THREAD_WORKER ? OARLOCK_OK : OARLOCK_ERROR;
  }
  if (is_word(view->name, "terminal")) {
    out->fail(out->ctx, str("Never"), str("cannot be"));
    return OARLOCK_TERMINAL;
  }
  if (is_word(view->name, "throw")) {
    out->fail(out->ctx, str("PluginThrew"), str("as asked"));
    return OARLOCK_TERMINAL;
  }
  return OARLOCK_OK;
}

/* --- requests of pods: the rest of the path says what is done --- */

/* Answers with all that it was lent. */
static oarlock_status tell_pod(const oarlock_request_view* view, int64_t time_left_ms,
                               const oarlock_inbound_out* out) {
  const oarlock_str_view words[] = {
      view->method,       view->object_namespace, view->object_name, view->rest,   view->query,
      view->content_type, view->service_account,  view->pod_name,    view->pod_uid};
  text seen = {.size = 0};
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); ++i) {
    add(&seen, words[i].data, words[i].size);
    add_str(&seen, " ");
  }
  add_digest(&seen, view->body.data, view->body.size);
  add_number(&seen, " ", view->now_unix_ms);
  add_str(&seen, time_left_ms > 0 ? " in time" : " late");
  const oarlock_bytes_view body = {(const uint8_t*)seen.data, seen.size};
  return out->answer(out->ctx, 200, str("text/x-told"), body);
}

static oarlock_status request(oarlock_instance* self, const oarlock_request_view* view,
                              int64_t time_left_ms, const oarlock_inbound_out* out) {
  oarlock_status s = OARLOCK_OK;
  if (is_word(view->rest, "tell")) return tell_pod(view, time_left_ms, out);
  if (is_word(view->rest, "log")) return log_record(self);
  if (is_word(view->rest, "note") || is_word(view->rest, "note-fails")) {
    s = out->note(out->ctx, str("zoo"), str("progress"), OARLOCK_ENCODING_JSON, view->body);
    if (s == OARLOCK_OK) {
      s = out->note(out->ctx, str("zoo"), str("seen"), OARLOCK_ENCODING_JSON, bytes("{\"n\":1}"));
    }
    return is_word(view->rest, "note") ? s : OARLOCK_ERROR;
  }
  if (is_word(view->rest, "no-status")) return out->answer(out->ctx, 99, str(""), bytes(""));
  if (is_word(view->rest, "throw")) return OARLOCK_TERMINAL;
  return OARLOCK_OK;
}

static const void* extension(oarlock_instance* self, oarlock_str_view id) {
  static const oarlock_plugin_inbound inbound = {sizeof(inbound), 0, request};
  (void)self;
  return is_word(id, OARLOCK_EXT_INBOUND) ? &inbound : NULL;
}

/* --- life --- */

static const char* found(const char* word, const oarlock_bytes_view* in) {
  const size_t size = strlen(word);
  for (uint64_t i = 0; i + size <= in->size; ++i) {
    if (memcmp(in->data + i, word, size) == 0) return (const char*)in->data + i;
  }
  return NULL;
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  if (found("\"refuse\"", &view->config) != NULL) {
    error_out->set(error_out->ctx, str("expected another configuration, found refuse"));
    return OARLOCK_TERMINAL;
  }
  oarlock_instance* self = calloc(1, sizeof(*self));
  uint8_t* config = malloc(view->config.size + 1);
  if (self == NULL || config == NULL) {
    free(self);
    free(config);
    return OARLOCK_ERROR;
  }
  memcpy(config, view->config.data, view->config.size);
  self->host = host;
  self->log = host->extension(host->ctx, str(OARLOCK_EXT_LOG));
  self->thread = host->extension(host->ctx, str(OARLOCK_EXT_THREAD));
  self->created = here(self);
  self->config = config;
  self->config_size = view->config.size;
  *out_instance = self;
  return OARLOCK_OK;
}

static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) {
  const oarlock_bytes_view config = {self->config, self->config_size};
  self->begun = here(self);
  if (found("\"refuseStart\"", &config) == NULL) return OARLOCK_OK;
  error_out->set(error_out->ctx, str("expected to start, found refuseStart"));
  return OARLOCK_ERROR;
}

static void nothing(oarlock_instance* self) {
  (void)self;
}

static void destroy(oarlock_instance* self) {
  free(self->config);
  free(self);
}

const oarlock_plugin* oarlock_plugin_entry_v0(void) {
  static const oarlock_str_view required[] = {TEXT(OARLOCK_EXT_LOG)};
  static const oarlock_plugin description = {
      .struct_size = sizeof(oarlock_plugin),
      .abi_major = OARLOCK_ABI_MAJOR,
      .abi_minor = OARLOCK_ABI_MINOR,
      .name = TEXT("zoo"),
      .version = TEXT("1.0.0"),
      .required_extensions = required,
      .required_extension_count = 1,
      .create = create,
      .start = start,
      .plan = plan,
      .drain = nothing,
      .stop = nothing,
      .destroy = destroy,
      .observe = observe,
      .effect = effect,
      .extension = extension,
  };
  return &description;
}
