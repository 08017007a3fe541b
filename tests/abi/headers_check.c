/* Layout that both sides rely on: a change here is a change of the ABI and raises the minor. */
#include "oarlock/oarlock.h"

#define EXPECT_AT(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " moved")

_Static_assert(sizeof(void*) == 8, "plugins are 64-bit");
_Static_assert(sizeof(oarlock_str_view) == 16, "oarlock_str_view grew: it crosses by value");
_Static_assert(sizeof(oarlock_bytes_view) == 16, "oarlock_bytes_view grew: it crosses by value");
_Static_assert(sizeof(oarlock_pair_view) == 32, "oarlock_pair_view grew: it crosses in arrays");

/* The head that a core of any version reads before it knows the version of the plugin. */
EXPECT_AT(oarlock_plugin, struct_size, 0);
EXPECT_AT(oarlock_plugin, abi_major, 4);
EXPECT_AT(oarlock_plugin, abi_minor, 8);

EXPECT_AT(oarlock_plugin, name, 16);
EXPECT_AT(oarlock_plugin, create, 64);
EXPECT_AT(oarlock_plugin, plan, 80);
EXPECT_AT(oarlock_plugin, destroy, 104);
EXPECT_AT(oarlock_host, ctx, 16);
EXPECT_AT(oarlock_host, extension, 40);
EXPECT_AT(oarlock_plan_view, primary, 56);
EXPECT_AT(oarlock_plan_view, last_failure, 104);
EXPECT_AT(oarlock_plan_out, ctx, 8);
EXPECT_AT(oarlock_plan_out, apply, 16);
EXPECT_AT(oarlock_plan_out, fail, 56);
EXPECT_AT(oarlock_host_log, write, 16);

/* A second definition of the entry's type: it must match the declaration in plugin.h. */
static oarlock_plugin_entry entry_of_this_type(void) {
  return oarlock_plugin_entry_v0;
}
int oarlock_headers_check(void);
int oarlock_headers_check(void) {
  return entry_of_this_type() != NULL;
}
