/* A plugin that says until when its process leads, as seen by plan() and by a thread of its own;
 * and, for the object "clock", what time it is. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "plain.h"

static const oarlock_host* host_of_instance;
static const oarlock_host_leadership* leadership;
static const oarlock_host_clock* clocks;

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

static void* look(void* out) {
  *(int64_t*)out = leadership->valid_until(host_of_instance->ctx);
  return NULL;
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* create_view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  (void)create_view, (void)error_out;
  host_of_instance = host;
  leadership = host->extension(host->ctx, str(OARLOCK_EXT_LEADERSHIP));
  *out_instance = (oarlock_instance*)&instance;
  clocks = host->extension(host->ctx, str(OARLOCK_EXT_CLOCK));
  if (clocks == NULL || leadership == NULL || leadership->valid_until(NULL) != INT64_MIN)
    return OARLOCK_ERROR;
  return OARLOCK_OK;
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  pthread_t other;
  int64_t elsewhere = 0;
  char said[64];
  (void)self;
  if (pthread_create(&other, NULL, look, &elsewhere) != 0) return OARLOCK_ERROR;
  pthread_join(other, NULL);
  snprintf(said, sizeof(said), "%" PRId64 " %" PRId64,
           leadership->valid_until(host_of_instance->ctx), elsewhere);
  if (view->object_name.size == 5 && memcmp(view->object_name.data, "clock", 5) == 0) {
    snprintf(said, sizeof(said), "%" PRId64 " %" PRId64,
             clocks->monotonic_ns(host_of_instance->ctx), clocks->unix_ms(host_of_instance->ctx));
  }
  const oarlock_condition_view told = {sizeof(told), OARLOCK_CONDITION_TRUE, str("Told"),
                                       str("Asked"), str(said)};
  return out->condition(out->ctx, &told);
}

ZOO_PLUGIN(.create = create, .start = start_plainly, .plan = plan, .drain = nothing,
           .stop = nothing, .destroy = nothing);
