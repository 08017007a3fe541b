/* The descriptor: its slots are the functions that main.go exports. */
#include "_cgo_export.h"

#define TEXT(literal) {(literal), sizeof(literal) - 1}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  return goCreate((oarlock_host*)host, (oarlock_create_view*)view, (oarlock_error_out*)error_out,
                  out_instance);
}
static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) {
  return goStart(self, (oarlock_error_out*)error_out);
}
static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  return goPlan(self, (oarlock_plan_view*)view, (oarlock_plan_out*)out);
}
static oarlock_status observe(oarlock_instance* self, const oarlock_plan_view* view,
                              int64_t time_left_ms, const oarlock_observe_out* out) {
  return goObserve(self, (oarlock_plan_view*)view, time_left_ms, (oarlock_observe_out*)out);
}
static oarlock_status effect(oarlock_instance* self, const oarlock_effect_view* view,
                             int64_t time_left_ms, const oarlock_effect_out* out) {
  return goEffect(self, (oarlock_effect_view*)view, time_left_ms, (oarlock_effect_out*)out);
}
static void nothing(oarlock_instance* self) {
  (void)self;
}

const oarlock_plugin* oarlock_plugin_entry_v0(void) {
  static const oarlock_str_view required[] = {TEXT(OARLOCK_EXT_LOG)};
  static const oarlock_plugin description = {
      .struct_size = sizeof(oarlock_plugin),
      .abi_major = OARLOCK_ABI_MAJOR,
      .abi_minor = OARLOCK_ABI_MINOR,
      .name = TEXT("zoo"),
      .version = TEXT("1.0.0"),
      .required_extensions = required,
      .required_extension_count = 1,
      .create = create,
      .start = start,
      .plan = plan,
      .drain = nothing,
      .stop = nothing,
      .destroy = goDestroy,
      .observe = observe,
      .effect = effect,
  };
  return &description;
}
