/*
 * Extension "oarlock.clock/1": the host's clocks, for a plugin's own threads, observe() and
 * effect(), so that a host under test decides what time it is. A plan has now_unix_ms and no other
 * clock.
 */
#ifndef OARLOCK_EXT_CLOCK_H
#define OARLOCK_EXT_CLOCK_H

#include "oarlock/host.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_CLOCK "oarlock.clock/1"

typedef struct oarlock_host_clock {
  uint32_t struct_size;
  uint32_t reserved;

  /* Never goes back; nanoseconds, as in oarlock.leadership/1: CLOCK_MONOTONIC, unless the host is
   * under test; in a child always. After destroy(): 0.
   * [any-thread] [created] [since 0.5] */
  int64_t (*monotonic_ns)(oarlock_host_ctx* ctx);

  /* Milliseconds since 1970, as now_unix_ms; it may go back. After destroy(): 0.
   * [any-thread] [created] [since 0.5] */
  int64_t (*unix_ms)(oarlock_host_ctx* ctx);
} oarlock_host_clock;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_EXT_CLOCK_H */
