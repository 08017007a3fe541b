/* A plugin that is right but for what a ZOO_ definition makes wrong. */
#include <string.h>

#include "oarlock/oarlock.h"

#ifndef ZOO_STRUCT_SIZE
#define ZOO_STRUCT_SIZE sizeof(oarlock_plugin)
#endif
#ifndef ZOO_ABI_MAJOR
#define ZOO_ABI_MAJOR OARLOCK_ABI_MAJOR
#endif
#ifndef ZOO_ABI_MINOR
#define ZOO_ABI_MINOR OARLOCK_ABI_MINOR
#endif
#ifndef ZOO_NAME
#define ZOO_NAME "zoo"
#endif
#ifndef ZOO_VERSION
#define ZOO_VERSION "1.0.0"
#endif

#define TEXT(literal) {(literal), sizeof(literal) - 1}

#if defined(ZOO_CREATE_FAILS) || defined(ZOO_START_FAILS)
static oarlock_status fail(const oarlock_error_out* error_out) {
  const oarlock_str_view why = TEXT("expected bananas, found none; bring some");
#ifndef ZOO_SILENT
  error_out->set(error_out->ctx, why);
#endif
  (void)error_out, (void)why;
  return OARLOCK_ERROR;
}
#endif

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* create_view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  (void)host, (void)create_view, (void)error_out, (void)out_instance, (void)instance;
#if defined(ZOO_CREATE_FAILS)
  return fail(error_out);
#elif defined(ZOO_CREATE_IS_SILENT)
  return OARLOCK_OK;
#else
  *out_instance = (oarlock_instance*)&instance;
  return OARLOCK_OK;
#endif
}

static oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) {
  (void)self, (void)error_out;
#ifdef ZOO_START_FAILS
  return fail(error_out);
#else
  return OARLOCK_OK;
#endif
}

#ifdef ZOO_TWIN
OARLOCK_EXPORT const char* zoo_twin(void);
OARLOCK_EXPORT const char* zoo_twin(void) {
  return ZOO_TWIN;
}
#endif

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* plan_view,
                           const oarlock_plan_out* plan_out) {
  (void)self, (void)plan_view, (void)plan_out;
#ifdef ZOO_TWIN
  /* Of which library the exported symbol is that this call reaches. */
  const oarlock_str_view reason = TEXT("Twin");
  const char* text = zoo_twin();
  const oarlock_str_view message = {text, strlen(text)};
  plan_out->fail(plan_out->ctx, reason, message);
  return OARLOCK_TERMINAL;
#else
  return OARLOCK_OK;
#endif
}

static void nothing(oarlock_instance* self) {
  (void)self;
}

#ifdef ZOO_EXTRA_EXPORTS
OARLOCK_EXPORT int helper(void);
OARLOCK_EXPORT int helper(void) {
  return 7;
}
#endif

#ifdef ZOO_NEEDS
static const oarlock_str_view needs[] = {TEXT("oarlock.log/1"), TEXT(ZOO_NEEDS)};
#endif

#ifdef ZOO_NO_ENTRY
OARLOCK_EXPORT const oarlock_plugin* some_other_entry(void);
const oarlock_plugin* some_other_entry(void) {
#else
const oarlock_plugin* oarlock_plugin_entry_v0(void) {
#endif
  static const oarlock_plugin description = {
      .struct_size = ZOO_STRUCT_SIZE,
      .abi_major = ZOO_ABI_MAJOR,
      .abi_minor = ZOO_ABI_MINOR,
      .name = TEXT(ZOO_NAME),
      .version = TEXT(ZOO_VERSION),
#ifdef ZOO_NEEDS
      .required_extensions = needs,
      .required_extension_count = 2,
#endif
      .create = create,
      .start = start,
#ifndef ZOO_NULL_SLOT
      .plan = plan,
#endif
      .drain = nothing,
      .stop = nothing,
      .destroy = nothing,
  };
#ifdef ZOO_NULL_SLOT
  (void)plan;
#endif
#ifdef ZOO_NULL_DESCRIPTOR
  (void)description;
  return NULL;
#else
  return &description;
#endif
}
