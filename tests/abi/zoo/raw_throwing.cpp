// A C++ plugin without the SDK that lets exceptions cross the C ABI, which no plugin may.
#include <cstring>
#include <stdexcept>

#include "oarlock/oarlock.h"

namespace {

oarlock_status create(const oarlock_host*, const oarlock_create_view* view,
                      const oarlock_error_out*, oarlock_instance** out) {
  static char instance;
  if (view->config.size > 2) throw std::runtime_error("thrown in create");
  *out = reinterpret_cast<oarlock_instance*>(&instance);
  return OARLOCK_OK;
}
oarlock_status start(oarlock_instance*, const oarlock_error_out*) {
  return OARLOCK_OK;
}
oarlock_status plan(oarlock_instance*, const oarlock_plan_view* view, const oarlock_plan_out*) {
  if (view->object_name.size == 1) throw 7;
  throw std::runtime_error("thrown in plan");
}
oarlock_status effect(oarlock_instance*, const oarlock_effect_view* view, std::int64_t,
                      const oarlock_effect_out*) {
  if (view->name.size == 1) throw 7;
  throw std::runtime_error("thrown in effect");
}
void nothing(oarlock_instance*) {}
void throws(oarlock_instance*) {
  throw std::runtime_error("thrown in stop");
}

constexpr oarlock_plugin description = {sizeof(oarlock_plugin),
                                        OARLOCK_ABI_MAJOR,
                                        OARLOCK_ABI_MINOR,
                                        0,
                                        {"zoo", 3},
                                        {"1.0.0", 5},
                                        nullptr,
                                        0,
                                        &create,
                                        &start,
                                        &plan,
                                        &nothing,
                                        &throws,
                                        &nothing,
                                        nullptr,
                                        &effect,
                                        nullptr};

}  // namespace

extern "C" const oarlock_plugin* oarlock_plugin_entry_v0(void) {
  return &description;
}
