/*
 * Extension "oarlock.review/1" (draft): whether an object may be, what it shall be before it is
 * stored, and what it is in another version of its kind; as the API server asks its webhooks.
 * Nothing serves it to an API server yet: see docs/decisions/0024-reviews-are-a-draft.md.
 *
 * A table of the plugin: oarlock_plugin.extension() returns it.
 */
#ifndef OARLOCK_EXT_REVIEW_H
#define OARLOCK_EXT_REVIEW_H

#include "oarlock/abi.h"
#include "oarlock/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OARLOCK_EXT_REVIEW "oarlock.review/1"

/* What somebody wants to do with the object. */
typedef int32_t oarlock_review_operation;
enum {
  OARLOCK_REVIEW_NONE = 0, /* nothing: of convert() */
  OARLOCK_REVIEW_CREATE = 1,
  OARLOCK_REVIEW_UPDATE = 2,
  OARLOCK_REVIEW_DELETE = 3
};

typedef struct oarlock_review_view {
  uint32_t struct_size;
  oarlock_review_operation operation;
  oarlock_encoding encoding; /* of both objects */
  uint32_t reserved;
  oarlock_str_view controller;     /* of plugin.yaml, whose primary the object is */
  oarlock_bytes_view object;       /* as it shall be; empty of a deletion; 3 MiB at most */
  oarlock_bytes_view old_object;   /* as it is; empty of a creation and of convert() */
  oarlock_str_view to_api_version; /* of convert(): "example.com/v2"; else empty */
  int64_t now_unix_ms;
} oarlock_review_view;

typedef struct oarlock_review_ctx oarlock_review_ctx;

/* Where a review leaves its answer. */
typedef struct oarlock_review_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_review_ctx* ctx;

  /* The object may not be, and why, for the person who wants it: 1 KiB at most. `field_path` is as
   * kubectl shows it, "spec.replicas", 256 bytes at most, or empty. Of convert() it is a failure.
   * [worker] [during review] [since 0.6] */
  oarlock_status (*refuse)(oarlock_review_ctx* ctx, oarlock_str_view field_path,
                           oarlock_str_view message);

  /* Something that this person should know; it may be all the same. 16 of 256 bytes at most.
   * [worker] [during review] [since 0.6] */
  oarlock_status (*warn)(oarlock_review_ctx* ctx, oarlock_str_view message);

  /* The whole object as it shall be: of mutate(), where it stays as it is without a call, and of
   * convert(). The last call wins; 3 MiB at most.
   * [worker] [during review] [since 0.6] */
  oarlock_status (*object)(oarlock_review_ctx* ctx, oarlock_encoding encoding,
                           oarlock_bytes_view object_view);
} oarlock_review_out;

/* All return within `time_left_ms`, and do no I/O. Any status but OARLOCK_OK has failed, and a
 * review that failed allows nothing. A slot may be NULL. */
typedef struct oarlock_plugin_review {
  uint32_t struct_size;
  uint32_t reserved;

  /* Refuses, or does not.
   * [worker] [started] [many at a time] [since 0.6] */
  oarlock_status (*validate)(oarlock_instance* self, const oarlock_review_view* review_view,
                             int64_t time_left_ms, const oarlock_review_out* review_out);

  /* Fills in what is missing, or refuses. Version, kind, name, namespace and UID stay.
   * [worker] [started] [many at a time] [since 0.6] */
  oarlock_status (*mutate)(oarlock_instance* self, const oarlock_review_view* review_view,
                           int64_t time_left_ms, const oarlock_review_out* review_out);

  /* Gives the object in version `to_api_version`. Of its metadata only labels and annotations may
   * change; another name, namespace or UID fails it, the rest stays as it was.
   * [worker] [started] [many at a time] [since 0.6] */
  oarlock_status (*convert)(oarlock_instance* self, const oarlock_review_view* review_view,
                            int64_t time_left_ms, const oarlock_review_out* review_out);
} oarlock_plugin_review;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_EXT_REVIEW_H */
