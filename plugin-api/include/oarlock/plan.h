/*
 * What a reconcile sees and what it answers.
 *
 * plan() is a pure function from what is to what should be: it gets one object with everything
 * declared for it in plugin.yaml, at one moment, and records what it wants through
 * oarlock_plan_out. The host compares, writes, retries, prunes and keeps the status; plan() does no
 * I/O. What it has to know from outside of Kubernetes, observe() of plugin.h asks before; what it
 * wants to be done there it records as an effect, which effect() of plugin.h does after it.
 */
#ifndef OARLOCK_PLAN_H
#define OARLOCK_PLAN_H

#include "oarlock/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One API object out of the shared cache, without metadata.managedFields. */
typedef struct oarlock_object_view {
  uint32_t struct_size;
  oarlock_encoding encoding;
  oarlock_str_view resource; /* "deployments.apps", as in plugin.yaml */
  oarlock_bytes_view bytes;
} oarlock_object_view;

/* How the last attempt on this object failed after its plan was made. */
typedef struct oarlock_failure_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view step;    /* "apply deployments.apps default/web" */
  oarlock_str_view reason;  /* "Forbidden", "Conflict", ...: CamelCase, as in conditions */
  oarlock_str_view message; /* for people */
} oarlock_failure_view;

/* What a request of a pod left for the plans of this object (ext/inbound.h): the last value under
 * its name. Who said it is what the API server knows of the pod's token. */
typedef struct oarlock_note_view {
  uint32_t struct_size;
  oarlock_encoding encoding;
  oarlock_str_view name;
  oarlock_bytes_view bytes;
  oarlock_str_view service_account;
  oarlock_str_view pod_name;
  oarlock_str_view pod_uid;
  int64_t recorded_unix_ms;
} oarlock_note_view;

/* How a pod reaches this plugin through the daemon (ext/inbound.h). */
typedef struct oarlock_inbound_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view url;      /* "https://host:9443/v1/<plugin>": add /<namespace>/<name>/<rest> */
  oarlock_str_view ca_pem;   /* certificates to trust, PEM */
  oarlock_str_view audience; /* of the pod's projected service account token */
} oarlock_inbound_view;

/* The inputs of one plan. Arrays are contiguous with `object_stride` bytes from one to the next,
 * notes with `note_stride`. */
typedef struct oarlock_plan_view {
  uint32_t struct_size;
  uint32_t object_stride;
  oarlock_str_view controller; /* the controller's name in plugin.yaml */
  oarlock_str_view object_namespace;
  oarlock_str_view object_name;
  const oarlock_object_view* primary; /* never NULL */
  const oarlock_object_view* owned;   /* objects with an owner reference to the primary */
  uint64_t owned_count;
  const oarlock_object_view* watched; /* objects mapped to the primary by `watches` */
  uint64_t watched_count;
  int64_t now_unix_ms;                      /* the only clock that a plan may use */
  const oarlock_failure_view* last_failure; /* NULL when the last attempt went through */
  int32_t deleting; /* 1: the primary is being deleted and waits for finished(); only with
                       `finalizer: true` in plugin.yaml, without it a deletion makes no plan */
  oarlock_encoding observation_encoding;
  oarlock_bytes_view observation; /* what observe() answered; size 0 when it did not, and in it */
  const oarlock_note_view* notes; /* by name; they go with the object, and with the leader */
  uint64_t note_count;
  uint32_t note_stride;
  uint32_t reserved;
  const oarlock_inbound_view* inbound; /* NULL: pods reach no daemon, or not yet */
} oarlock_plan_view;

typedef struct oarlock_observe_ctx oarlock_observe_ctx;

/* Where observe() leaves its answer. */
typedef struct oarlock_observe_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_observe_ctx* ctx;

  /* What was found, as one JSON value; the last call wins. The plan gets it as it is. It holds no
   * secrets: a host may record it.
   * [worker] [during observe] [since 0.4] */
  oarlock_status (*answer)(oarlock_observe_ctx* ctx, oarlock_encoding encoding,
                           oarlock_bytes_view observation_view);

  /* Why observe() is about to return something other than OARLOCK_OK. Both are kept for conditions:
   * reason in CamelCase, not empty.
   * [worker] [during observe] [since 0.4] */
  oarlock_status (*fail)(oarlock_observe_ctx* ctx, oarlock_str_view reason,
                         oarlock_str_view message);
} oarlock_observe_out;

/* One effect that a plan recorded, when its turn has come. */
typedef struct oarlock_effect_view {
  uint32_t struct_size;
  oarlock_encoding payload_encoding;
  oarlock_str_view controller; /* the controller's name in plugin.yaml */
  oarlock_str_view object_namespace;
  oarlock_str_view object_name;
  const oarlock_object_view* primary; /* as the plan saw it, or as a step before left it */
  oarlock_str_view name;              /* what the plan said to effect(), both of them */
  oarlock_bytes_view payload;
  oarlock_bytes_view observation; /* what the plan saw; size 0: nothing */
  oarlock_encoding observation_encoding;
  uint32_t reserved;
  /* Until when no other process can be the leader, in nanoseconds of CLOCK_MONOTONIC: what is not
   * known to be over by then must be harmless beside the next leader's. It moves on while the lease
   * is renewed. INT64_MAX: for ever, without leader election. */
  int64_t lease_valid_until_ns;
} oarlock_effect_view;

typedef struct oarlock_effect_ctx oarlock_effect_ctx;

/* How effect() says why it failed. */
typedef struct oarlock_effect_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_effect_ctx* ctx;

  /* Why effect() is about to return something other than OARLOCK_OK. Both are kept for conditions:
   * reason in CamelCase, not empty.
   * [worker] [during effect] [since 0.5] */
  oarlock_status (*fail)(oarlock_effect_ctx* ctx, oarlock_str_view reason,
                         oarlock_str_view message);
} oarlock_effect_out;

typedef int32_t oarlock_condition_status;
enum { OARLOCK_CONDITION_FALSE = 0, OARLOCK_CONDITION_TRUE = 1, OARLOCK_CONDITION_UNKNOWN = 2 };

/* The host adds observedGeneration and lastTransitionTime. */
typedef struct oarlock_condition_view {
  uint32_t struct_size;
  oarlock_condition_status status;
  oarlock_str_view type;    /* "Ready" */
  oarlock_str_view reason;  /* CamelCase, not empty */
  oarlock_str_view message; /* for people, may be empty */
} oarlock_condition_view;

typedef int32_t oarlock_event_type;
enum { OARLOCK_EVENT_NORMAL = 0, OARLOCK_EVENT_WARNING = 1 };

/* One object that exists, in the primary's namespace. Its kind is under `owns` of plugin.yaml, and
 * then it is a child of the primary, or under `watches` with the right to patch or delete it. */
typedef struct oarlock_target_view {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_str_view resource;         /* "pods", "deployments.apps": as in plugin.yaml */
  oarlock_str_view name;             /* metadata.name */
  oarlock_str_view uid;              /* metadata.uid; empty only for kinds that are not cached */
  oarlock_str_view resource_version; /* metadata.resourceVersion that it must have; empty: any */
} oarlock_target_view;

typedef int32_t oarlock_patch_kind;
enum {
  OARLOCK_PATCH_MERGE = 1, /* RFC 7386: what is given replaces what is there, null removes */
  OARLOCK_PATCH_APPLY = 2  /* server-side apply, not forced: fields of others are a conflict */
};

typedef int32_t oarlock_propagation;
enum {
  OARLOCK_PROPAGATE_BACKGROUND = 0,
  OARLOCK_PROPAGATE_FOREGROUND = 1,
  OARLOCK_PROPAGATE_ORPHAN = 2
};

typedef struct oarlock_plan_ctx oarlock_plan_ctx;

/* Where a plan records its answer. Every slot copies what it is given before it returns.
 *
 * apply, create_once, patch_existing, remove, swap_status and effect are steps. The host carries
 * them out in the order of the calls, each only after the one before is known to have happened; all
 * calls of apply together are one step, at the place of the first. When a step fails the rest are
 * dropped, and the next plan gets it as last_failure. Status, conditions and events are always
 * written.
 *
 * A refused call (OARLOCK_INVALID, OARLOCK_LIMIT) fails the whole plan. */
typedef struct oarlock_plan_out {
  uint32_t struct_size;
  uint32_t reserved;
  oarlock_plan_ctx* ctx;

  /* A child that shall exist as given: apiVersion, kind, metadata.name and every field that the
   * plugin cares about. The host sets namespace, owner reference and labels for ownership, applies
   * it when it differs and deletes owned children of declared kinds that no plan mentions.
   * Lower groups are applied first; children inside a group at the same time. A kind that is not
   * under `owns` of plugin.yaml, another namespace or a child named twice is refused.
   * [worker] [during plan] [since 0.1] */
  oarlock_status (*apply)(oarlock_plan_ctx* ctx, uint32_t group, oarlock_encoding encoding,
                          oarlock_bytes_view object_view);

  /* The fields of .status that the plugin keeps, as one JSON object, without conditions and
   * observedGeneration, which the host adds. At most once; without it .status has only those two.
   * [worker] [during plan] [since 0.1] */
  oarlock_status (*status)(oarlock_plan_ctx* ctx, oarlock_encoding encoding,
                           oarlock_bytes_view status_view);

  /* One entry of .status.conditions; the last call for a type wins. An absent Ready, Reconciling or
   * Stalled is derived by the host.
   * [worker] [during plan] [since 0.1] */
  oarlock_status (*condition)(oarlock_plan_ctx* ctx, const oarlock_condition_view* condition_view);

  /* An event about the primary. The host merges repetitions and cuts the message at 1024 bytes.
   * [worker] [during plan] [since 0.1] */
  oarlock_status (*event)(oarlock_plan_ctx* ctx, oarlock_event_type type, oarlock_str_view reason,
                          oarlock_str_view message);

  /* Plan this object again after `delay_ms` even if nothing changes; the smallest call wins. At
   * least 0; less than 100 counts as 100, and more than 24 hours as 24 hours.
   * [worker] [during plan] [since 0.1] */
  oarlock_status (*requeue_after)(oarlock_plan_ctx* ctx, int64_t delay_ms);

  /* Why plan() is about to return something other than OARLOCK_OK, which after this call counts as
   * OARLOCK_ERROR. Both are kept for conditions: reason in CamelCase, not empty.
   * [worker] [during plan] [since 0.1] */
  oarlock_status (*fail)(oarlock_plan_ctx* ctx, oarlock_str_view reason, oarlock_str_view message);

  /* Only while `deleting`: nothing is left to be done. The host removes its finalizer once
   * everything that this plan asks for is known to have happened. Without this call the object
   * stays, and is planned again when something changes. While `deleting`, children that the plan
   * does not mention stay as they are: garbage collection takes them after the primary.
   * [worker] [during plan] [since 0.2] */
  oarlock_status (*finished)(oarlock_plan_ctx* ctx);

  /* A child that is made when it is missing, and left as it is when it is there. Completed and
   * checked as by apply(); a child that no plan mentions any more is deleted.
   * [worker] [during plan] [since 0.3] */
  oarlock_status (*create_once)(oarlock_plan_ctx* ctx, oarlock_encoding encoding,
                                oarlock_bytes_view object_view);

  /* Changes fields of an object that exists; never makes one. The host refuses it for an object
   * with another UID or version, and does not send what the object already says.
   * [worker] [during plan] [since 0.3] */
  oarlock_status (*patch_existing)(oarlock_plan_ctx* ctx, const oarlock_target_view* target_view,
                                   oarlock_patch_kind kind, oarlock_encoding encoding,
                                   oarlock_bytes_view patch_view);

  /* Deletes an object, unless it is gone already. It has happened when the server has accepted it;
   * finalizers may keep the object for longer. `grace_seconds` below 0: the kind's own.
   * [worker] [during plan] [since 0.3] */
  oarlock_status (*remove)(oarlock_plan_ctx* ctx, const oarlock_target_view* target_view,
                           int64_t grace_seconds, oarlock_propagation propagation);

  /* Writes these fields of .status if the primary still has `resource_version`: for what must be
   * on record before the next step. Conditions stay. It does not replace status(), which is written
   * after the steps and says all fields, these too.
   * [worker] [during plan] [since 0.3] */
  oarlock_status (*swap_status)(oarlock_plan_ctx* ctx, oarlock_str_view resource_version,
                                oarlock_encoding encoding, oarlock_bytes_view status_view);

  /* Something that the plugin does outside of Kubernetes: when its turn has come, the host calls
   * effect() of plugin.h with this name and payload. `name` has letters, digits and "-_.", 63 at
   * most, and is part of last_failure; the payload is one JSON value, or nothing. It may happen
   * without the host knowing it (a process that dies, a lost answer), and is then planned again:
   * plan only what is still to be done by what observe() has found.
   * [worker] [during plan] [since 0.5] */
  oarlock_status (*effect)(oarlock_plan_ctx* ctx, oarlock_str_view name, oarlock_encoding encoding,
                           oarlock_bytes_view payload_view);
} oarlock_plan_out;

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_PLAN_H */
