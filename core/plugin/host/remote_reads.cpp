#include "core/plugin/host/remote_reads.hpp"

#include <unistd.h>

namespace oarlock::plugin::host {

void worker_channel::exchange(std::string& text) const {
  wire::frame what{};
  const bool is_there =
      wire::send_frame(fd_, wire::frame::ask, text) == wire::io_status::ok &&
      wire::receive_frame(fd_, what, text, wire::request_bytes_max) == wire::io_status::ok;
  if (!is_there || what != wire::frame::told) ::_exit(1);
}

controller::live_object remote_live_reads::get(const std::string& resource,
                                               const std::string& name) {
  const auto answer = to_.ask([&](wire::writer& w) { wire::put_read(w, resource, name); });
  wire::reader r(answer);
  return wire::take_live_object(r);
}

oarlock_status remote_cursors::open(const cursor_query& what, std::uint64_t* out) {
  const auto answer = to_.ask([&](wire::writer& w) { wire::put_open(w, what); });
  wire::reader r(answer);
  const oarlock_status done = r.i32();
  const auto id = r.u64();
  if (done != OARLOCK_OK) return done;
  open_[id].resource = what.resource;
  *out = id;
  return done;
}

oarlock_status remote_cursors::fetch(std::uint64_t cursor, page& into) const {
  into.bytes = to_.ask([&](wire::writer& w) { wire::put_cursor(w, wire::ask::next, cursor); });
  wire::reader r(into.bytes);
  const oarlock_status done = r.i32();
  into.at = sizeof(done);
  return done;
}

oarlock_status remote_cursors::next(std::uint64_t cursor, oarlock_object_view& out) {
  const auto found = open_.find(cursor);
  if (found == open_.end()) return OARLOCK_INVALID;
  auto& at = found->second;
  for (;;) {
    if (at.bytes.empty()) {
      if (at.is_last) return OARLOCK_OK;
      if (const auto done = fetch(cursor, at); done != OARLOCK_OK) return done;
    }
    wire::reader r(std::string_view(at.bytes).substr(at.at));
    if (r.u8() != 0) {
      const auto text = r.text();
      at.at = static_cast<std::size_t>(text.data() + text.size() - at.bytes.data());
      out.encoding = OARLOCK_ENCODING_JSON;
      out.resource = {at.resource.data(), at.resource.size()};
      out.bytes = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
      return OARLOCK_OK;
    }
    at.is_last = r.u8() == 0;
    at.bytes.clear();
  }
}

oarlock_status remote_cursors::close(std::uint64_t cursor) {
  if (open_.erase(cursor) == 0) return OARLOCK_INVALID;
  const auto answer =
      to_.ask([&](wire::writer& w) { wire::put_cursor(w, wire::ask::close, cursor); });
  wire::reader r(answer);
  return r.i32();
}

}  // namespace oarlock::plugin::host
