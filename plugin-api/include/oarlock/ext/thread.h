/*
 * Extension "oarlock.thread/1": which thread word of plugin.h the calling thread is under, for code
 * that several slots share. What it may call there the tag lines say.
 */
#ifndef OARLOCK_EXT_THREAD_H
#define OARLOCK_EXT_THREAD_H

#include "oarlock/host.h"

#if OARLOCK_ABI_MINOR >= 7

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_THREAD "oarlock.thread/1"

typedef int32_t oarlock_thread;
enum {
  OARLOCK_THREAD_OWN = 0,     /* in no call of the host: one that the plugin has started */
  OARLOCK_THREAD_CONTROL = 1, /* in a [control] slot */
  OARLOCK_THREAD_WORKER = 2   /* in a [worker] slot: observe, plan, effect, request, ... */
};

typedef struct oarlock_host_thread {
  uint32_t struct_size;
  uint32_t reserved;

  /* Of the calling thread, now. Reads a variable of the thread.
   * [any-thread] [always] [since 0.7] */
  oarlock_thread (*current)(oarlock_host_ctx* ctx);
} oarlock_host_thread;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_ABI_MINOR */

#endif /* OARLOCK_EXT_THREAD_H */
