/*
 * Extension "oarlock.cache/1": more of the controller's cached objects than the inputs of a plan
 * hold. A cursor walks over one moment of a kind, whatever happens meanwhile. Nothing brings an
 * object up because something changes that a cursor showed: `watches` of plugin.yaml do that.
 */
#ifndef OARLOCK_EXT_CACHE_H
#define OARLOCK_EXT_CACHE_H

#include "oarlock/host.h"
#include "oarlock/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_CACHE "oarlock.cache/1"

/* What a cursor shows: objects that are all of it. */
typedef struct oarlock_query_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view resource;         /* "pods": the primary, or under `owns` or `watches` */
  oarlock_str_view object_namespace; /* empty: all that the daemon works in */
  oarlock_str_view label_selector;   /* "app=web,tier!=db,canary,!old"; empty: all */
  oarlock_str_view owner_uid;        /* of an owner reference, by the index; empty: all */
} oarlock_query_view;

/* Cursors belong to one call of observe() or plan(), and to its thread; they end with it. Queries
 * of one call for the same kind, namespace and owner show the same moment. */
typedef struct oarlock_host_cache {
  uint32_t struct_size;
  uint32_t reserved;

  /* OARLOCK_INVALID: outside of such a call, a kind that is not the controller's or not cached, or
   * no selector. OARLOCK_LIMIT: 16 are open, or 1000 different questions were asked.
   * [worker] [during observe or plan] [since 0.5] */
  oarlock_status (*open)(oarlock_host_ctx* ctx, const oarlock_query_view* query_view,
                         uint64_t* out_cursor);

  /* The next object, by namespace and name; its views are valid until the next call for this
   * cursor. After the last one OARLOCK_OK with no bytes. Set struct_size before.
   * [worker] [during observe or plan] [since 0.5] */
  oarlock_status (*next)(oarlock_host_ctx* ctx, uint64_t cursor, oarlock_object_view* out_object);

  /* Makes room for another one.
   * [worker] [during observe or plan] [since 0.5] */
  oarlock_status (*close)(oarlock_host_ctx* ctx, uint64_t cursor);
} oarlock_host_cache;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_EXT_CACHE_H */
