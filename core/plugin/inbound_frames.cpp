#include "core/plugin/inbound_frames.hpp"

#include "core/plugin/lent_text.hpp"

namespace oarlock::plugin::wire {

namespace {

std::string_view text_in(oarlock_str_view lent) {
  return {lent.data, lent.size};
}

}  // namespace

void put_request(writer& w, const oarlock_request_view& view, std::chrono::milliseconds time_left) {
  static_assert(sizeof(oarlock_request_view) == 176, "a field of it has no place here");
  for (const auto& text :
       {view.method, view.object_namespace, view.object_name, view.rest, view.query,
        view.content_type, view.service_account, view.pod_name, view.pod_uid}) {
    w.text(text_in(text));
  }
  w.text({reinterpret_cast<const char*>(view.body.data), view.body.size});
  w.i64(view.now_unix_ms);
  w.i64(time_left.count());
}

taken_request take_request(reader& r) {
  taken_request out;
  auto& view = out.view;
  view.struct_size = sizeof(view);
  for (auto* text :
       {&view.method, &view.object_namespace, &view.object_name, &view.rest, &view.query,
        &view.content_type, &view.service_account, &view.pod_name, &view.pod_uid}) {
    *text = lend(r.text());
  }
  view.body = lend_bytes(r.text());
  view.now_unix_ms = r.i64();
  out.time_left = std::chrono::milliseconds(r.i64());
  return out;
}

void put_answer(writer& w, const inbound_answer& a) {
  w.i32(a.status);
  w.text(a.content_type);
  w.text(a.body);
  w.text(a.why);
  w.u64(a.notes.size());
  for (const auto& note : a.notes) {
    w.text(note.controller);
    w.text(note.name);
    w.text(note.json);
  }
}

std::optional<inbound_answer> take_inbound_answer(reader& r) {
  inbound_answer out;
  out.status = r.i32();
  out.content_type = r.text();
  out.body = r.text();
  out.why = r.text();
  const auto count = r.count(inbound_limits::notes_max, 3 * sizeof(std::uint64_t));
  for (std::uint64_t i = 0; i < count; ++i) {
    recorded_note note;
    for (auto* text : {&note.controller, &note.name, &note.json})
      *text = r.text();
    out.notes.push_back(std::move(note));
  }
  if (!r.ok() || !r.at_end()) return std::nullopt;
  return out;
}

}  // namespace oarlock::plugin::wire
