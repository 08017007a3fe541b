/*
 * What the host offers to a plugin instance.
 */
#ifndef OARLOCK_HOST_H
#define OARLOCK_HOST_H

#include "oarlock/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct oarlock_host_ctx oarlock_host_ctx;

/* Handed to create(); valid until destroy() returns. */
typedef struct oarlock_host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  oarlock_host_ctx* ctx;    /* first argument of every host function */
  oarlock_str_view version; /* of the host, "0.1.0": for logs only */

  /* A table of optional functions by id and revision ("oarlock.log/1"), or NULL, which is normal.
   * The table lives as long as this struct.
   * [any-thread] [always] [since 0.1] */
  const void* (*extension)(oarlock_host_ctx* ctx, oarlock_str_view id);
} oarlock_host;

/* The detail of a failed life-cycle call; the host copies it at once. */
typedef struct oarlock_error_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_host_ctx* ctx;

  /* Says what was expected, what was found, what to do.
   * [control] [during the call] [since 0.1] */
  void (*set)(oarlock_host_ctx* ctx, oarlock_str_view message);
} oarlock_error_out;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_HOST_H */
