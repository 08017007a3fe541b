/* What plugins of the zoo have in common where they are not what their file is about. */
#pragma once
#include "oarlock/oarlock.h"

#define TEXT(literal) {(literal), sizeof(literal) - 1}

static inline oarlock_status start_plainly(oarlock_instance* self,
                                           const oarlock_error_out* error_out) {
  (void)self, (void)error_out;
  return OARLOCK_OK;
}

static inline void nothing(oarlock_instance* self) {
  (void)self;
}

/* The entry of a plugin with these slots; those that every plugin needs have to be among them. */
#define ZOO_PLUGIN(...)                                 \
  const oarlock_plugin* oarlock_plugin_entry_v0(void) { \
    static const oarlock_plugin description = {         \
        .struct_size = sizeof(oarlock_plugin),          \
        .abi_major = OARLOCK_ABI_MAJOR,                 \
        .abi_minor = OARLOCK_ABI_MINOR,                 \
        .name = TEXT("zoo"),                            \
        .version = TEXT("1.0.0"),                       \
        __VA_ARGS__,                                    \
    };                                                  \
    return &description;                                \
  }                                                     \
  struct oarlock_plugin /* takes the semicolon */
