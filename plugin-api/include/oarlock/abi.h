/*
 * Oarlock plugin ABI: version, visibility and the plain types that cross.
 *
 * Plain C11, also C++17. Nothing here needs a library. Rules for every header of this folder:
 *  - fixed-width integers; enum-like values are int32_t typedefs with anonymous constants;
 *  - strings are {pointer, size}, UTF-8, never assumed to end in NUL;
 *  - every struct that crosses starts with struct_size, set by the side that made it. A field past
 *    struct_size reads as zero: ask OARLOCK_HAS_FIELD before reading one that came later;
 *  - ownership is in the name: `_view` is valid until the call returns and owned by the caller,
 *    `out_` is filled by the callee. Memory is freed only by the side that made it;
 *  - no exception, longjmp, errno, FILE, varargs or locale crosses.
 */
#ifndef OARLOCK_ABI_H
#define OARLOCK_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version 0 is not frozen: a host takes plugins of its own minor only, which is therefore what they
 * are built for; from version 1 on it takes all up to its own. Any change of these headers raises
 * the newest minor, and hides what is new from older ones: `#if OARLOCK_ABI_MINOR >= 7`. A plugin
 * for older hosts is compiled with -DOARLOCK_TARGET_MINOR=6: what came later is not there, sizes
 * are those of then, and OARLOCK_ABI_MINOR, which its descriptor says, is that minor. */
#define OARLOCK_ABI_MAJOR 0
#define OARLOCK_OLDEST_MINOR 6
#define OARLOCK_NEWEST_MINOR 7
#ifdef OARLOCK_TARGET_MINOR
#define OARLOCK_ABI_MINOR OARLOCK_TARGET_MINOR
#else
#define OARLOCK_ABI_MINOR OARLOCK_NEWEST_MINOR
#endif
#if OARLOCK_ABI_MINOR < OARLOCK_OLDEST_MINOR || OARLOCK_ABI_MINOR > OARLOCK_NEWEST_MINOR
#error "expected OARLOCK_TARGET_MINOR between OARLOCK_OLDEST_MINOR and OARLOCK_NEWEST_MINOR"
#endif

/* The one symbol that a plugin exports. Its name carries the major. */
#define OARLOCK_ENTRY_SYMBOL "oarlock_plugin_entry_v0"
#define OARLOCK_EXPORT __attribute__((visibility("default")))

/* True when `object` (a pointer to a struct that crossed) is new enough to have `field`. */
#define OARLOCK_HAS_FIELD(object, type, field) \
  ((object)->struct_size >= offsetof(type, field) + sizeof(((type*)0)->field))

typedef struct oarlock_str_view {
  const char* data; /* UTF-8, may be NULL when size is 0 */
  uint64_t size;    /* bytes */
} oarlock_str_view;

typedef struct oarlock_bytes_view {
  const uint8_t* data;
  uint64_t size;
} oarlock_bytes_view;

/* How the bytes of an object are to be read. The host sends only what the plugin's ABI knows. */
typedef int32_t oarlock_encoding;
enum { OARLOCK_ENCODING_JSON = 1 };

/* What a call came to. A value that the host does not know counts as OARLOCK_ERROR. */
typedef int32_t oarlock_status;
enum {
  OARLOCK_OK = 0,
  OARLOCK_ERROR = 1,    /* failed, may work later: the host retries with backoff */
  OARLOCK_TERMINAL = 2, /* failed, will fail again until the object changes: no retry */
  OARLOCK_INVALID = 3,  /* an argument breaks the contract; the host logs and counts it */
  OARLOCK_LIMIT = 4     /* a limit of the host is reached; nothing was recorded */
};

#ifdef __cplusplus
}
#endif

#endif /* OARLOCK_ABI_H */
