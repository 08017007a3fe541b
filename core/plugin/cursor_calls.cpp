#include "core/plugin/cursor_calls.hpp"

#include <string_view>

#include "core/plugin/stray_call.hpp"

namespace oarlock::plugin {

namespace {

thread_local cursor_source* current = nullptr;

bool take(oarlock_str_view lent, std::string& out) {
  if ((lent.data == nullptr && lent.size > 0) || lent.size > cursors::text_bytes_max) return false;
  if (lent.size > 0) out.assign(lent.data, lent.size);
  return true;
}

template <class Work>
oarlock_status asked(oarlock_host_ctx* ctx, stray_slot slot, Work work) noexcept {
  if (ctx == nullptr) return OARLOCK_INVALID;
  if (current == nullptr) {
    tell_stray_call(slot, ctx);
    return OARLOCK_INVALID;
  }
  try {
    return work(*current);
  } catch (...) {
    return OARLOCK_LIMIT;  // out of memory
  }
}

extern "C" {

static oarlock_status cursor_open(oarlock_host_ctx* ctx, const oarlock_query_view* view,
                                  std::uint64_t* out) {
  return asked(ctx, stray_slot::cache_open, [&](cursor_source& from) -> oarlock_status {
    cursor_query what;
    const bool is_right =
        view != nullptr && out != nullptr &&
        OARLOCK_HAS_FIELD(view, oarlock_query_view, owner_uid) &&
        take(view->resource, what.resource) && take(view->object_namespace, what.ns) &&
        take(view->label_selector, what.labels) && take(view->owner_uid, what.owner_uid);
    return is_right ? from.open(what, out) : OARLOCK_INVALID;
  });
}

static oarlock_status cursor_next(oarlock_host_ctx* ctx, std::uint64_t cursor,
                                  oarlock_object_view* out) {
  return asked(ctx, stray_slot::cache_next, [&](cursor_source& from) -> oarlock_status {
    if (out == nullptr || !OARLOCK_HAS_FIELD(out, oarlock_object_view, bytes)) {
      return OARLOCK_INVALID;
    }
    oarlock_object_view shown{};
    const auto done = from.next(cursor, shown);
    out->encoding = shown.encoding;
    out->resource = shown.resource;
    out->bytes = shown.bytes;
    return done;
  });
}

static oarlock_status cursor_close(oarlock_host_ctx* ctx, std::uint64_t cursor) {
  return asked(ctx, stray_slot::cache_close,
               [&](cursor_source& from) -> oarlock_status { return from.close(cursor); });
}

}  // extern "C"

}  // namespace

cursor_scope::cursor_scope(cursor_source& source) {
  current = &source;
}
cursor_scope::~cursor_scope() {
  current = nullptr;
}

const oarlock_host_cache& cursor_table() {
  static constexpr oarlock_host_cache table = {sizeof(oarlock_host_cache), 0, &cursor_open,
                                               &cursor_next, &cursor_close};
  return table;
}

oarlock_status cached_cursors::next(std::uint64_t cursor, oarlock_object_view& out) {
  oarlock_status done = OARLOCK_OK;
  const auto object = all_.next(cursor, done);
  if (done != OARLOCK_OK || object == nullptr) return done;
  auto& text = shown_[cursor];
  text = object->json();
  const auto resource = all_.resource_of(cursor);
  out.encoding = OARLOCK_ENCODING_JSON;
  out.resource = {resource.data(), resource.size()};
  out.bytes = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  return done;
}

oarlock_status cached_cursors::close(std::uint64_t cursor) {
  shown_.erase(cursor);
  return all_.close(cursor);
}

}  // namespace oarlock::plugin
