/*
 * Extension "oarlock.leadership/1": whether this process leads, for a plugin's own threads and for
 * an effect that takes long. What changes something outside of Kubernetes asks just before it.
 */
#ifndef OARLOCK_EXT_LEADERSHIP_H
#define OARLOCK_EXT_LEADERSHIP_H

#include "oarlock/host.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_LEADERSHIP "oarlock.leadership/1"

typedef struct oarlock_host_leadership {
  uint32_t struct_size;
  uint32_t reserved;

  /* Until when no other process can be the leader, in nanoseconds of CLOCK_MONOTONIC, as of now; it
   * moves on while the lease is renewed, and ends early when the lease is given up: keep no copy.
   * INT64_MAX: for ever, without leader election; INT64_MIN: this process does not lead. Reads a
   * number in memory and never waits for the API server.
   * [any-thread] [created] [since 0.5] */
  int64_t (*valid_until)(oarlock_host_ctx* ctx);
} oarlock_host_leadership;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_EXT_LEADERSHIP_H */
