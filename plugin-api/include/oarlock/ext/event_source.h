/*
 * Extension "oarlock.event_source/1": what happens outside of Kubernetes makes a plan. A thread of
 * the plugin names the objects that it concerns; the host queues them as if they had changed.
 */
#ifndef OARLOCK_EXT_EVENT_SOURCE_H
#define OARLOCK_EXT_EVENT_SOURCE_H

#include "oarlock/host.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_EVENT_SOURCE "oarlock.event_source/1"

typedef struct oarlock_host_event_source {
  uint32_t struct_size;
  uint32_t reserved;

  /* Asks for a plan of one primary object of `controller`, which plugin.yaml names; the namespace
   * is empty for kinds without one. A key waits once, however often it comes. One that comes faster
   * than the plugin's quota waits; when too many wait, all objects of the controller are planned
   * instead, so that none is missed. Does nothing for an object that does not exist, and nothing
   * while this process does not lead: who leads next plans everything anyway. OARLOCK_INVALID: not
   * a controller of this plugin, or not a name.
   * [any-thread] [started] [since 0.5] */
  oarlock_status (*enqueue)(oarlock_host_ctx* ctx, oarlock_str_view controller,
                            oarlock_str_view object_namespace, oarlock_str_view object_name);
} oarlock_host_event_source;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_EXT_EVENT_SOURCE_H */
