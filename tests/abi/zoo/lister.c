/* A plugin that reads the cache through cursors, as the planned object's name asks for, and says
 * what it found. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"

#define CURSORS_MAX 16

static const oarlock_host* host_of_instance;
static const oarlock_host_cache* cache;

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

static oarlock_status open_by(const char* resource, const char* ns, const char* labels,
                              const char* owner, uint64_t* out) {
  const oarlock_query_view what = {sizeof(what), 0,           str(resource),
                                   str(ns),      str(labels), str(owner)};
  return cache->open(host_of_instance->ctx, &what, out);
}

static oarlock_status next(uint64_t cursor, oarlock_object_view* object) {
  memset(object, 0, sizeof(*object));
  object->struct_size = sizeof(*object);
  return cache->next(host_of_instance->ctx, cursor, object);
}

/* How many objects there are, and how many bytes; each byte is looked at. */
static void count(const char* ns, const char* labels, const char* owner, char* said, size_t room) {
  uint64_t cursor = 0;
  uint64_t objects = 0;
  uint64_t bytes = 0;
  uint64_t braces = 0;
  oarlock_object_view object;
  oarlock_status s = open_by("pods", ns, labels, owner, &cursor);
  while (s == OARLOCK_OK && (s = next(cursor, &object)) == OARLOCK_OK && object.bytes.size > 0) {
    ++objects;
    bytes += object.bytes.size;
    for (uint64_t i = 0; i < object.bytes.size; ++i)
      braces += object.bytes.data[i] == '{';
  }
  snprintf(said, room, "status %d, %llu objects, %llu bytes, %s", (int)s,
           (unsigned long long)objects, (unsigned long long)bytes,
           braces >= objects ? "in braces" : "torn");
}

/* Two cursors, one after each object of the other: how often they differed. */
static void compare(char* said, size_t room) {
  uint64_t one = 0;
  uint64_t two = 0;
  int pairs = 0;
  int different = 0;
  oarlock_object_view a;
  oarlock_object_view b;
  if (open_by("pods", "", "", "", &one) != OARLOCK_OK) return;
  (void)next(one, &a);
  if (open_by("pods", "", "", "", &two) != OARLOCK_OK) return;
  for (;;) {
    (void)next(two, &b);
    ++pairs;
    different += a.bytes.size != b.bytes.size ||
                 (a.bytes.size > 0 && memcmp(a.bytes.data, b.bytes.data, a.bytes.size) != 0);
    if (a.bytes.size == 0 || b.bytes.size == 0) break;
    (void)next(one, &a);
  }
  snprintf(said, room, "%d pairs, %d different", pairs - 1, different);
}

static void* open_here(void* nothing) {
  uint64_t cursor = 0;
  (void)nothing;
  return (void*)(intptr_t)open_by("pods", "", "", "", &cursor);
}

static int opens_elsewhere(void) {
  pthread_t other;
  void* answer = NULL;
  if (pthread_create(&other, NULL, open_here, NULL) != 0) return 1;
  pthread_join(other, &answer);
  return (intptr_t)answer != OARLOCK_INVALID;
}

/* What was not refused. */
static int wrong_ones(void) {
  oarlock_host_ctx* const ctx = host_of_instance->ctx;
  const oarlock_query_view small = {.struct_size = 16};
  uint64_t cursor = 0;
  int taken = opens_elsewhere();
  oarlock_object_view object;
  static const char* const selectors[] = {"app=",       "=a",     "a b", "app=a,",
                                          "app in (a)", "a=\xff", ","};
  taken += open_by("secrets", "", "", "", &cursor) != OARLOCK_INVALID;
  taken += open_by("services", "", "", "", &cursor) != OARLOCK_INVALID;
  taken += open_by("", "", "", "", &cursor) != OARLOCK_INVALID;
  for (size_t i = 1; i < sizeof(selectors) / sizeof(selectors[0]); ++i)
    taken += open_by("pods", "", selectors[i], "", &cursor) != OARLOCK_INVALID;
  taken += open_by("pods", "", selectors[0], "", &cursor) != OARLOCK_OK; /* an empty value */
  taken += cache->open(ctx, &small, &cursor) != OARLOCK_INVALID;
  taken += cache->open(ctx, NULL, &cursor) != OARLOCK_INVALID;
  taken += open_by("pods", "", "", "", NULL) != OARLOCK_INVALID;
  taken += next(4711, &object) != OARLOCK_INVALID;
  taken += cache->next(ctx, cursor, NULL) != OARLOCK_INVALID;
  taken += cache->next(NULL, cursor, &object) != OARLOCK_INVALID;
  taken += cache->close(ctx, 4711) != OARLOCK_INVALID;
  for (int i = 1; i < CURSORS_MAX; ++i)
    taken += open_by("pods", "", "", "", &cursor) != OARLOCK_OK;
  taken += open_by("pods", "", "", "", &cursor) != OARLOCK_LIMIT;
  taken += cache->close(ctx, cursor) != OARLOCK_OK;
  taken += open_by("pods", "", "", "", &cursor) != OARLOCK_OK;
  return taken; /* and all of them stay open */
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* create_view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  (void)create_view, (void)error_out;
  host_of_instance = host;
  cache = host->extension(host->ctx, str(OARLOCK_EXT_CACHE));
  *out_instance = (oarlock_instance*)&instance;
  return cache == NULL ? OARLOCK_ERROR : OARLOCK_OK;
}

static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) {
  uint64_t cursor = 0;
  (void)self, (void)error_out;
  return open_by("pods", "", "", "", &cursor) == OARLOCK_INVALID ? OARLOCK_OK : OARLOCK_ERROR;
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  char how[64] = "";
  char said[128] = "";
  (void)self;
  if (view->object_name.size < sizeof(how)) {
    memcpy(how, view->object_name.data, view->object_name.size);
  }
#define IS(word) (strcmp(how, (word)) == 0)
  if (IS("all")) count("", "", "", said, sizeof(said));
  if (IS("namespace")) count("n-1", "", "", said, sizeof(said));
  if (IS("labels")) count("", "app=a, !old", "", said, sizeof(said));
  if (IS("owner")) count("", "", "me", said, sizeof(said));
  if (IS("compare")) compare(said, sizeof(said));
  if (IS("wrong")) snprintf(said, sizeof(said), "%d were taken", wrong_ones());
#undef IS
  const oarlock_condition_view told = {sizeof(told), OARLOCK_CONDITION_TRUE, str("Told"),
                                       str("Asked"), str(said)};
  return out->condition(out->ctx, &told);
}

ZOO_PLUGIN(.create = create, .start = start, .plan = plan, .drain = nothing, .stop = nothing,
           .destroy = nothing);
