/* A plugin whose handler of requests is wrong in one way each: the rest of the path says in which.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain.h"

struct oarlock_instance {
  const oarlock_inbound_out* kept; /* of a request that is over */
};

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

static oarlock_bytes_view bytes(const char* text) {
  const oarlock_bytes_view view = {(const uint8_t*)text, strlen(text)};
  return view;
}

static int is_word(oarlock_str_view found, const char* word) {
  return found.size == strlen(word) && memcmp(found.data, word, found.size) == 0;
}

static oarlock_status note(const oarlock_inbound_out* out, const char* controller,
                           const char* name) {
  return out->note(out->ctx, str(controller), str(name), OARLOCK_ENCODING_JSON, bytes("1"));
}

static oarlock_status request(oarlock_instance* self, const oarlock_request_view* view,
                              int64_t time_left_ms, const oarlock_inbound_out* out) {
  static const char large[65537];
  const oarlock_bytes_view none = {NULL, 5};
  (void)time_left_ms;
  if (is_word(view->rest, "other-controller")) note(out, "cats", "a");
  if (is_word(view->rest, "bad-name")) note(out, "zoo", "a b");
  if (is_word(view->rest, "bad-type")) out->answer(out->ctx, 200, str("a\r\nb: c"), bytes("x"));
  if (is_word(view->rest, "null-body")) out->answer(out->ctx, 200, str(""), none);
  if (is_word(view->rest, "null-note")) {
    out->note(out->ctx, str("zoo"), str("a"), OARLOCK_ENCODING_JSON, none);
  }
  if (is_word(view->rest, "large-body")) {
    const oarlock_bytes_view body = {(const uint8_t*)large, sizeof(large)};
    out->answer(out->ctx, 200, str(""), body);
  }
  if (is_word(view->rest, "many-notes")) {
    for (char name[] = "a"; name[0] <= 'z'; ++name[0])
      note(out, "zoo", name);
  }
  if (is_word(view->rest, "kept-table")) {
    /* Refused: not during a request of this table's own. */
    static oarlock_inbound_out copy;
    copy = *out;
    self->kept = &copy;
    return OARLOCK_ERROR;
  }
  if (is_word(view->rest, "crash")) *(volatile int*)8 = 1;
  while (is_word(view->rest, "hang"))
    sleep(1);
  return OARLOCK_OK;
}

static const void* extension(oarlock_instance* self, oarlock_str_view id) {
  static const oarlock_plugin_inbound inbound = {sizeof(inbound), 0, request};
  (void)self;
  return is_word(id, OARLOCK_EXT_INBOUND) ? &inbound : NULL;
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  (void)host, (void)view, (void)error_out;
  *out_instance = calloc(1, sizeof(oarlock_instance));
  return *out_instance == NULL ? OARLOCK_ERROR : OARLOCK_OK;
}

/* Whoever kept the table of a request gets nowhere with it in a plan. */
static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  (void)view, (void)out;
  if (self->kept == NULL) return OARLOCK_OK;
  return note(self->kept, "zoo", "late") == OARLOCK_INVALID ? OARLOCK_OK : OARLOCK_ERROR;
}

static void destroy(oarlock_instance* self) {
  free(self);
}

ZOO_PLUGIN(.create = create, .start = start_plainly, .plan = plan, .drain = nothing,
           .stop = nothing, .destroy = destroy, .extension = extension);
