// A version of the plugin turner that dies while it is created.
#include <cstdlib>

#include "oarlock/oarlock.h"

namespace {

oarlock_status create(const oarlock_host*, const oarlock_create_view*, const oarlock_error_out*,
                      oarlock_instance**) {
  std::abort();
}
oarlock_status start(oarlock_instance*, const oarlock_error_out*) {
  return OARLOCK_OK;
}
oarlock_status plan(oarlock_instance*, const oarlock_plan_view*, const oarlock_plan_out*) {
  return OARLOCK_OK;
}
void nothing(oarlock_instance*) {}

constexpr oarlock_plugin description = {.struct_size = sizeof(oarlock_plugin),
                                        .abi_major = OARLOCK_ABI_MAJOR,
                                        .abi_minor = OARLOCK_ABI_MINOR,
                                        .reserved = 0,
                                        .name = {"turner", 6},
                                        .version = {TURNER_VERSION, sizeof(TURNER_VERSION) - 1},
                                        .required_extensions = nullptr,
                                        .required_extension_count = 0,
                                        .create = &create,
                                        .start = &start,
                                        .plan = &plan,
                                        .drain = &nothing,
                                        .stop = &nothing,
                                        .destroy = &nothing,
                                        .observe = nullptr,
                                        .effect = nullptr,
                                        .extension = nullptr};

}  // namespace

extern "C" const oarlock_plugin* oarlock_plugin_entry_v0(void) {
  return &description;
}
