#include "core/plugin/read_call.hpp"

#include <algorithm>

#include "core/plugin/lent_text.hpp"
#include "core/plugin/plan_sink.hpp"
#include "core/plugin/stray_call.hpp"

namespace oarlock::plugin {

namespace {

thread_local controller::live_reads* current = nullptr;

oarlock_status fail(const oarlock_read_out& out, oarlock_status status, const std::string& reason,
                    const std::string& message) {
  out.fail(out.ctx, lend(reason), lend(message));
  return status;
}

oarlock_status get(oarlock_host_ctx* ctx, oarlock_str_view resource, oarlock_str_view name,
                   const oarlock_read_out& out) {
  for (const auto& trouble : {trouble_of_text(resource, "resource", plan_limits::id_bytes_max),
                              trouble_of_text(name, "name", plan_limits::id_bytes_max)}) {
    if (!trouble.empty()) return fail(out, OARLOCK_INVALID, "Invalid", trouble);
  }
  if (current == nullptr) {
    tell_stray_call(stray_slot::read_get, ctx);
    return fail(out, OARLOCK_INVALID, "NotNow",
                "expected a read on the thread of observe() or effect(), found another place");
  }
  const auto kind = text_of(resource);
  const auto found = current->get(kind, text_of(name));
  if (!found.is_read) {
    return fail(out, found.may_work_later ? OARLOCK_ERROR : OARLOCK_TERMINAL, found.reason,
                found.message);
  }
  if (!found.json) return OARLOCK_OK;
  const oarlock_object_view view{sizeof(view), OARLOCK_ENCODING_JSON, lend(kind),
                                 lend_bytes(*found.json)};
  out.object(out.ctx, &view);
  return OARLOCK_OK;
}

extern "C" {

static oarlock_status host_read_get(oarlock_host_ctx* ctx, oarlock_str_view resource,
                                    oarlock_str_view name, const oarlock_read_out* out) {
  if (ctx == nullptr || out == nullptr || !OARLOCK_HAS_FIELD(out, oarlock_read_out, fail) ||
      out->object == nullptr || out->fail == nullptr) {
    return OARLOCK_INVALID;
  }
  try {
    return get(ctx, resource, name, *out);
  } catch (...) {
    return OARLOCK_ERROR;  // out of memory
  }
}

}  // extern "C"

}  // namespace

reading_scope::reading_scope(controller::live_reads* reads) : outer_(current) {
  current = reads;
}
reading_scope::~reading_scope() {
  current = outer_;
}

const oarlock_host_read* read_table() {
  static constexpr oarlock_host_read table = {sizeof(oarlock_host_read), 0, &host_read_get};
  return &table;
}

}  // namespace oarlock::plugin
