/*
 * Extension "oarlock.log/1": structured log records. The host adds plugin,
 * controller, namespace, name and reconcileID.
 */
#ifndef OARLOCK_EXT_LOG_H
#define OARLOCK_EXT_LOG_H

#include "oarlock/host.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_LOG "oarlock.log/1"

typedef int32_t oarlock_log_level;
enum { OARLOCK_LOG_DEBUG = 0, OARLOCK_LOG_INFO = 1, OARLOCK_LOG_WARN = 2, OARLOCK_LOG_ERROR = 3 };

typedef struct oarlock_pair_view {
  oarlock_str_view key;
  oarlock_str_view value;
} oarlock_pair_view;

typedef struct oarlock_host_log {
  uint32_t struct_size;
  uint32_t reserved;

  /* 1 when records of this level are kept: ask before building a costly one.
   * [any-thread] [always] [since 0.1] */
  int32_t (*enabled)(oarlock_host_ctx* ctx, oarlock_log_level level);

  /* Writes one record.
   * [any-thread] [always] [since 0.1] */
  void (*write)(oarlock_host_ctx* ctx, oarlock_log_level level, oarlock_str_view message,
                const oarlock_pair_view* pairs, uint64_t pair_count);
} oarlock_host_log;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_EXT_LOG_H */
