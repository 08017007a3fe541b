#include "core/plugin/ask_frames.hpp"

#include <algorithm>

namespace oarlock::plugin::wire {

namespace {

constexpr std::uint8_t more = 1;
constexpr std::uint8_t end = 0;

told answer_open(reader& r, cursors& of_call, writer& w) {
  cursor_query query;
  for (auto* text : {&query.resource, &query.ns, &query.labels, &query.owner_uid})
    *text = r.text();
  if (!r.ok() || !r.at_end()) return told::stray;
  std::uint64_t id = 0;
  w.i32(of_call.open(query, &id));
  w.u64(id);
  return told::open_to_all;
}

// Each object after a byte that says so.
void answer_next(std::uint64_t cursor, cursors& of_call, writer& w) {
  oarlock_status done = OARLOCK_OK;
  auto object = of_call.next(cursor, done);
  w.i32(done);
  if (done != OARLOCK_OK) return;
  std::size_t used = 0;
  while (object != nullptr) {
    const auto text = object->json();
    w.u8(more);
    w.text(text);
    used += text.size();
    if (used >= page_bytes) break;
    object = of_call.next(cursor, done);
  }
  w.u8(end);
  w.u8(object == nullptr ? end : more);
}

told answer_read(reader& r, controller::live_reads* reads, writer& w) {
  const std::string resource(r.text());
  const std::string name(r.text());
  if (!r.ok() || !r.at_end()) return told::stray;
  controller::live_object found;
  found.reason = "NotNow";
  found.message = "nothing can be read here";
  if (reads != nullptr) found = reads->get(resource, name);
  put_live_object(w, found);
  if (found.json) std::fill(found.json->begin(), found.json->end(), '\0');
  return told::may_be_secret;
}

}  // namespace

void put_open(writer& w, const cursor_query& what) {
  w.u8(static_cast<std::uint8_t>(ask::open));
  for (const auto* text : {&what.resource, &what.ns, &what.labels, &what.owner_uid})
    w.text(*text);
}

void put_cursor(writer& w, ask what, std::uint64_t cursor) {
  w.u8(static_cast<std::uint8_t>(what));
  w.u64(cursor);
}

void put_read(writer& w, std::string_view resource, std::string_view name) {
  w.u8(static_cast<std::uint8_t>(ask::read));
  w.text(resource);
  w.text(name);
}

void put_live_object(writer& w, const controller::live_object& found) {
  w.u8(found.is_read ? 1 : 0);
  w.u8(found.may_work_later ? 1 : 0);
  w.u8(found.json ? 1 : 0);
  w.text(found.reason);
  w.text(found.message);
  // The last, so that no growing buffer leaves a copy of it behind.
  if (found.json) w.text(*found.json);
}

controller::live_object take_live_object(reader& r) {
  controller::live_object out;
  out.is_read = r.u8() != 0;
  out.may_work_later = r.u8() != 0;
  const bool is_there = r.u8() != 0;
  out.reason = r.text();
  out.message = r.text();
  if (is_there) out.json = r.text();
  return out;
}

told answer_question(std::string_view question, const call_reads& of_call, writer& w) {
  if (question.size() > question_bytes_max) return told::stray;
  reader r(question);
  const auto what = static_cast<ask>(r.u8());
  if (what == ask::open) return answer_open(r, of_call.cached, w);
  if (what == ask::read) return answer_read(r, of_call.live, w);
  const auto cursor = r.u64();
  if (!r.ok() || !r.at_end()) return told::stray;
  if (what == ask::next) {
    answer_next(cursor, of_call.cached, w);
  } else if (what == ask::close) {
    w.i32(of_call.cached.close(cursor));
  } else {
    return told::stray;
  }
  return told::open_to_all;
}

}  // namespace oarlock::plugin::wire
