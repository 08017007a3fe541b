#include "core/plugin/review_frames.hpp"

#include "core/plugin/lent_text.hpp"

namespace oarlock::plugin::wire {

namespace {

std::string_view text_in(oarlock_str_view lent) {
  return {lent.data, lent.size};
}

std::string_view text_in(oarlock_bytes_view lent) {
  return {reinterpret_cast<const char*>(lent.data), lent.size};
}

}  // namespace

void put_review(writer& w, review_task task, const oarlock_review_view& view,
                std::chrono::milliseconds time_left) {
  static_assert(sizeof(oarlock_review_view) == 88, "a field of it has no place here");
  w.u32(static_cast<std::uint32_t>(task));
  w.i32(view.operation);
  w.text(text_in(view.controller));
  w.text(text_in(view.object));
  w.text(text_in(view.old_object));
  w.text(text_in(view.to_api_version));
  w.i64(view.now_unix_ms);
  w.i64(time_left.count());
}

taken_review take_review(reader& r) {
  taken_review out;
  out.task = static_cast<review_task>(r.u32());
  out.view.struct_size = sizeof(out.view);
  out.view.encoding = OARLOCK_ENCODING_JSON;
  out.view.operation = r.i32();
  out.view.controller = lend(r.text());
  out.view.object = lend_bytes(r.text());
  out.view.old_object = lend_bytes(r.text());
  out.view.to_api_version = lend(r.text());
  out.view.now_unix_ms = r.i64();
  out.time_left = std::chrono::milliseconds(r.i64());
  return out;
}

void put_reviewed(writer& w, const review_answer& a) {
  w.i32(static_cast<std::int32_t>(a.verdict));
  w.text(a.field);
  w.text(a.why);
  w.text(a.object_json);
  w.u64(a.warnings.size());
  for (const auto& warning : a.warnings)
    w.text(warning);
}

std::optional<review_answer> take_reviewed(reader& r) {
  review_answer out;
  out.verdict = static_cast<review_verdict>(r.i32());  // what it does not know has failed
  out.field = r.text();
  out.why = r.text();
  out.object_json = r.text();
  const auto count = r.count(review_limits::warnings_max, sizeof(std::uint64_t));
  for (std::uint64_t i = 0; i < count; ++i)
    out.warnings.emplace_back(r.text());
  if (!r.ok() || !r.at_end()) return std::nullopt;
  return out;
}

}  // namespace oarlock::plugin::wire
