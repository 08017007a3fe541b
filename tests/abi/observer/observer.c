/* The smallest possible plugin, in plain C11: it sees every Deployment and wants nothing. */
#include "oarlock/oarlock.h"

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* create_view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance; /* no state: its address is the instance */
  (void)host, (void)create_view, (void)error_out;
  *out_instance = (oarlock_instance*)&instance;
  return OARLOCK_OK;
}

static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) {
  (void)self, (void)error_out;
  return OARLOCK_OK;
}

/* Records no status, no condition and no child: the host then leaves the object alone. */
static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* plan_view,
                           const oarlock_plan_out* plan_out) {
  (void)self, (void)plan_view, (void)plan_out;
  return OARLOCK_OK;
}

static void nothing(oarlock_instance* self) {
  (void)self;
}

#define TEXT(literal) {(literal), sizeof(literal) - 1}

const oarlock_plugin* oarlock_plugin_entry_v0(void) {
  static const oarlock_plugin description = {
      .struct_size = sizeof(oarlock_plugin),
      .abi_major = OARLOCK_ABI_MAJOR,
      .abi_minor = OARLOCK_ABI_MINOR,
      .name = TEXT("observer"),
      .version = TEXT("0.1.0"),
      .create = create,
      .start = start,
      .plan = plan,
      .drain = nothing,
      .stop = nothing,
      .destroy = nothing,
  };
  return &description;
}
