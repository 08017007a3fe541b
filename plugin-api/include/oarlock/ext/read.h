/*
 * Extension "oarlock.read/1": one object as the API server has it now, for observe() and effect().
 * It is read as the plugin's own identity and kept nowhere: what it holds, such as a password, goes
 * into no answer, log record or status.
 */
#ifndef OARLOCK_EXT_READ_H
#define OARLOCK_EXT_READ_H

#include "oarlock/host.h"
#include "oarlock/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_READ "oarlock.read/1"

typedef struct oarlock_reader oarlock_reader;

/* Where get() leaves its answer; the plugin fills it in. Both are called before get() returns. */
typedef struct oarlock_read_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_reader* ctx; /* the plugin's */

  /* The object. Not called when there is none.
   * [worker] [during get] [since 0.5] */
  void (*object)(oarlock_reader* ctx, const oarlock_object_view* object_view);

  /* Why get() is about to return something other than OARLOCK_OK: "Forbidden", "NotDeclared", ...
   * [worker] [during get] [since 0.5] */
  void (*fail)(oarlock_reader* ctx, oarlock_str_view reason, oarlock_str_view message);
} oarlock_read_out;

typedef struct oarlock_host_read {
  uint32_t struct_size;
  uint32_t reserved;

  /* Reads one object of a kind and a name that `reads` of plugin.yaml allows, in the namespace of
   * the object that the call is about. Returns in the time that is left of that call.
   * OARLOCK_ERROR: it may work later; OARLOCK_TERMINAL: it is not allowed, or too large;
   * OARLOCK_INVALID: not on the thread of an observe() or effect().
   * [worker] [during observe or effect] [since 0.5] */
  oarlock_status (*get)(oarlock_host_ctx* ctx, oarlock_str_view resource,
                        oarlock_str_view object_name, const oarlock_read_out* read_out);
} oarlock_host_read;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_EXT_READ_H */
