/* A plugin with a thread that enqueues objects as fast as it can, between start() and stop(). It is
 * done when somebody plans the object "told", whose plan says what the host answered to keys that
 * cannot be. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "plain.h"

static const oarlock_host* host_of_instance;
static const oarlock_host_event_source* events;
static atomic_bool is_over;
static pthread_t flood;

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

static oarlock_status enqueue(const char* controller, const char* name) {
  return events->enqueue(host_of_instance->ctx, str(controller), str("shop"), str(name));
}

static void* enqueue_all(void* nothing) {
  for (unsigned i = 0; !atomic_load(&is_over); ++i) {
    char name[32];
    (void)enqueue("zoo", "told");
    snprintf(name, sizeof(name), "ape-%u", i % 50000);
    (void)enqueue("zoo", name);
  }
  return nothing;
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* create_view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  (void)create_view, (void)error_out;
  host_of_instance = host;
  events = host->extension(host->ctx, str(OARLOCK_EXT_EVENT_SOURCE));
  *out_instance = (oarlock_instance*)&instance;
  return events == NULL ? OARLOCK_ERROR : OARLOCK_OK;
}

static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) {
  (void)self, (void)error_out;
  return pthread_create(&flood, NULL, enqueue_all, NULL) == 0 ? OARLOCK_OK : OARLOCK_ERROR;
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  static char long_name[300];
  char said[64];
  (void)self, (void)view;
  memset(long_name, 'a', sizeof(long_name) - 1);
  snprintf(said, sizeof(said), "%d %d %d %d", enqueue("stranger", "ape"), enqueue("zoo", ""),
           enqueue("zoo", long_name), enqueue("zoo", "ape"));
  const oarlock_condition_view told = {sizeof(told), OARLOCK_CONDITION_TRUE, str("Told"),
                                       str("Asked"), str(said)};
  return out->condition(out->ctx, &told);
}

static void stop(oarlock_instance* self) {
  (void)self;
  atomic_store(&is_over, 1);
  pthread_join(flood, NULL);
}

ZOO_PLUGIN(.create = create, .start = start, .plan = plan, .drain = nothing, .stop = stop,
           .destroy = nothing);
