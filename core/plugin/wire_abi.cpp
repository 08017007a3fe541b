#include "core/plugin/wire_abi.hpp"

#include <algorithm>
#include <utility>

#include "core/plugin/stray_call.hpp"

namespace oarlock::plugin::wire {

namespace {

// What stands for bytes that were too long to cross. Never read by who checks sizes first; never
// past the end by who does not.
char too_long_bytes[view_bytes_max + 1];

constexpr std::size_t object_bytes_least = 4 + 9 + 9;

void put_bytes(writer& w, oarlock_bytes_view bytes) {
  w.text({reinterpret_cast<const char*>(bytes.data), bytes.size});
}

void put_object(writer& w, const oarlock_object_view& object) {
  w.i32(object.encoding);
  w.text({object.resource.data, object.resource.size});
  put_bytes(w, object.bytes);
}

oarlock_str_view take_text(reader& r) {
  const auto text = r.text();
  return {text.data(), text.size()};
}

oarlock_bytes_view take_bytes(reader& r) {
  const auto bytes = r.text();
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

oarlock_object_view take_object(reader& r) {
  oarlock_object_view out{};
  out.struct_size = sizeof(out);
  out.encoding = r.i32();
  out.resource = take_text(r);
  out.bytes = take_bytes(r);
  return out;
}

void put_text(writer& w, oarlock_str_view text) {
  w.text({text.data, text.size});
}

void put_objects(writer& w, const oarlock_object_view* first, std::uint64_t count,
                 std::size_t stride) {
  w.u64(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    put_object(w, *reinterpret_cast<const oarlock_object_view*>(
                      reinterpret_cast<const char*>(first) + i * stride));
  }
}

void put_notes(writer& w, const oarlock_plan_view& view) {
  w.u64(view.note_count);
  for (std::uint64_t i = 0; i < view.note_count; ++i) {
    const auto& note = *reinterpret_cast<const oarlock_note_view*>(
        reinterpret_cast<const char*>(view.notes) + i * view.note_stride);
    w.i32(note.encoding);
    for (const auto& text : {note.name, note.service_account, note.pod_name, note.pod_uid})
      put_text(w, text);
    put_bytes(w, note.bytes);
    w.i64(note.recorded_unix_ms);
  }
}

std::vector<oarlock_note_view> take_notes(reader& r) {
  static_assert(sizeof(oarlock_note_view) == 96, "a field of oarlock_note_view has no place here");
  constexpr std::size_t bytes_least = 4 + 5 * sizeof(std::uint64_t) + 8;
  std::vector<oarlock_note_view> out(r.count(objects_max, bytes_least));
  for (auto& note : out) {
    note.struct_size = sizeof(note);
    note.encoding = r.i32();
    for (auto* text : {&note.name, &note.service_account, &note.pod_name, &note.pod_uid})
      *text = take_text(r);
    note.bytes = take_bytes(r);
    note.recorded_unix_ms = r.i64();
  }
  return out;
}

void put_inbound(writer& w, const oarlock_inbound_view* view) {
  static_assert(sizeof(oarlock_inbound_view) == 56, "a field of it has no place here");
  w.u8(view == nullptr ? 0 : 1);
  if (view == nullptr) return;
  for (const auto& text : {view->url, view->ca_pem, view->audience})
    put_text(w, text);
}

bool take_inbound(reader& r, oarlock_inbound_view& out) {
  if (r.u8() == 0) return false;
  out.struct_size = sizeof(out);
  for (auto* text : {&out.url, &out.ca_pem, &out.audience})
    *text = take_text(r);
  return true;
}

void put_short(writer& w, oarlock_str_view text) {
  const bool is_there = text.data != nullptr;
  w.text(is_there
             ? std::string_view(text.data, std::min<std::size_t>(text.size, log_text_bytes_max + 1))
             : std::string_view{});
}

template <class... Args>
oarlock_status call_slot(const oarlock_plan_out* out,
                         oarlock_status (*function)(oarlock_plan_ctx*, Args...), reader& r) {
  // Braces: arguments are read in their order.
  const std::tuple<typename codec<Args>::held...> held{codec<Args>::take(r)...};
  if (!r.ok()) return OARLOCK_INVALID;
  return std::apply([&](const auto&... h) { return function(out->ctx, codec<Args>::lend(h)...); },
                    held);
}

template <std::size_t... I>
bool call_at(std::size_t index, const oarlock_plan_out* out, reader& r, std::index_sequence<I...>) {
  return ((index == I && (call_slot(out, out->*(std::get<I>(plan_slots).at), r), true)) || ...);
}

}  // namespace

void put_lent(writer& w, lent_bytes lent) {
  if (lent.data == nullptr) {
    w.u8(static_cast<std::uint8_t>(lent_as::null));
    w.u64(lent.size);
  } else if (lent.size > view_bytes_max) {
    w.u8(static_cast<std::uint8_t>(lent_as::too_long));
  } else {
    w.u8(static_cast<std::uint8_t>(lent_as::whole));
    w.text({lent.data, static_cast<std::size_t>(lent.size)});
  }
}

lent_bytes take_lent(reader& r) {
  const auto how = r.u8();
  if (how == static_cast<std::uint8_t>(lent_as::null)) return {nullptr, r.u64()};
  if (how == static_cast<std::uint8_t>(lent_as::too_long)) {
    return {too_long_bytes, sizeof(too_long_bytes)};
  }
  if (how != static_cast<std::uint8_t>(lent_as::whole)) r.fail();
  const auto text = r.text();
  return {text.data(), text.size()};
}

oarlock_status trouble_of(lent_bytes lent) {
  if (lent.data == nullptr && lent.size > 0) return OARLOCK_INVALID;
  return lent.size > view_bytes_max ? OARLOCK_LIMIT : OARLOCK_OK;
}

void codec<const oarlock_condition_view*>::put(writer& w, const oarlock_condition_view* v) {
  w.u8(v == nullptr ? 0 : 1);
  if (v == nullptr) return;
  w.u32(v->struct_size);
  if (!OARLOCK_HAS_FIELD(v, oarlock_condition_view, message)) return;
  w.i32(v->status);
  for (const auto& text : {v->type, v->reason, v->message})
    put_lent(w, {text.data, text.size});
}

oarlock_status codec<const oarlock_condition_view*>::trouble(const oarlock_condition_view* v) {
  if (v == nullptr || !OARLOCK_HAS_FIELD(v, oarlock_condition_view, message)) {
    return OARLOCK_INVALID;
  }
  for (const auto& text : {v->type, v->reason, v->message}) {
    const auto status = trouble_of({text.data, text.size});
    if (status != OARLOCK_OK) return status;
  }
  return OARLOCK_OK;
}

codec<const oarlock_condition_view*>::held codec<const oarlock_condition_view*>::take(reader& r) {
  held out;
  out.is_null = r.u8() == 0;
  if (out.is_null) return out;
  // What lies behind the fields of this build was not sent, so it is not there.
  out.view.struct_size = std::min<std::uint32_t>(r.u32(), sizeof(out.view));
  if (!OARLOCK_HAS_FIELD(&out.view, oarlock_condition_view, message)) return out;
  out.view.status = r.i32();
  for (auto* text : {&out.view.type, &out.view.reason, &out.view.message})
    *text = codec<oarlock_str_view>::take(r);
  return out;
}

void codec<const oarlock_target_view*>::put(writer& w, const oarlock_target_view* v) {
  w.u8(v == nullptr ? 0 : 1);
  if (v == nullptr) return;
  w.u32(v->struct_size);
  if (!OARLOCK_HAS_FIELD(v, oarlock_target_view, resource_version)) return;
  for (const auto& text : {v->resource, v->name, v->uid, v->resource_version})
    put_lent(w, {text.data, text.size});
}

oarlock_status codec<const oarlock_target_view*>::trouble(const oarlock_target_view* v) {
  if (v == nullptr || !OARLOCK_HAS_FIELD(v, oarlock_target_view, resource_version)) {
    return OARLOCK_INVALID;
  }
  for (const auto& text : {v->resource, v->name, v->uid, v->resource_version}) {
    const auto status = trouble_of({text.data, text.size});
    if (status != OARLOCK_OK) return status;
  }
  return OARLOCK_OK;
}

codec<const oarlock_target_view*>::held codec<const oarlock_target_view*>::take(reader& r) {
  held out;
  out.is_null = r.u8() == 0;
  if (out.is_null) return out;
  out.view.struct_size = std::min<std::uint32_t>(r.u32(), sizeof(out.view));
  if (!OARLOCK_HAS_FIELD(&out.view, oarlock_target_view, resource_version)) return out;
  for (auto* text :
       {&out.view.resource, &out.view.name, &out.view.uid, &out.view.resource_version}) {
    *text = codec<oarlock_str_view>::take(r);
  }
  return out;
}

const char* slot_name(std::size_t index) {
  if (index >= plan_slot_count) return name_of(static_cast<stray_slot>(index - plan_slot_count));
  const char* found = "?";
  std::size_t at = 0;
  std::apply([&](const auto&... s) { ((at++ == index ? void(found = s.name) : void()), ...); },
             plan_slots);
  return found;
}

void replay_call(std::size_t index, const oarlock_plan_out* out, reader& r) {
  if (!call_at(index, out, r, std::make_index_sequence<plan_slot_count>())) r.fail();
}

void put_input(writer& w, const oarlock_plan_view& view) {
  // All but the observation, which is made in the child.
  static_assert(sizeof(oarlock_plan_view) == 168, "a field of oarlock_plan_view has no place here");
  put_text(w, view.controller);
  put_text(w, view.object_namespace);
  put_text(w, view.object_name);
  put_object(w, *view.primary);
  put_objects(w, view.owned, view.owned_count, view.object_stride);
  put_objects(w, view.watched, view.watched_count, view.object_stride);
  w.i64(view.now_unix_ms);
  w.i32(view.deleting);
  put_notes(w, view);
  put_inbound(w, view.inbound);
  w.u8(view.last_failure == nullptr ? 0 : 1);
  if (view.last_failure == nullptr) return;
  put_text(w, view.last_failure->step);
  put_text(w, view.last_failure->reason);
  put_text(w, view.last_failure->message);
}

taken_input::taken_input(reader& r) {
  view_.struct_size = sizeof(view_);
  view_.object_stride = sizeof(oarlock_object_view);
  view_.controller = take_text(r);
  view_.object_namespace = take_text(r);
  view_.object_name = take_text(r);
  objects_.push_back(take_object(r));
  view_.owned_count = r.count(objects_max, object_bytes_least);
  for (std::uint64_t i = 0; i < view_.owned_count; ++i)
    objects_.push_back(take_object(r));
  view_.watched_count = r.count(objects_max, object_bytes_least);
  for (std::uint64_t i = 0; i < view_.watched_count; ++i)
    objects_.push_back(take_object(r));
  view_.primary = objects_.data();
  view_.owned = objects_.data() + 1;
  view_.watched = view_.owned + view_.owned_count;
  view_.now_unix_ms = r.i64();
  view_.deleting = r.i32();
  notes_ = take_notes(r);
  view_.notes = notes_.data();
  view_.note_count = notes_.size();
  view_.note_stride = sizeof(oarlock_note_view);
  if (take_inbound(r, inbound_)) view_.inbound = &inbound_;
  if (r.u8() == 0) return;
  failure_ = {sizeof(failure_), 0, {}, {}, {}};
  failure_.step = take_text(r);
  failure_.reason = take_text(r);
  failure_.message = take_text(r);
  view_.last_failure = &failure_;
}

void put_effect(writer& w, const oarlock_effect_view& view, std::int64_t time_left_ms) {
  static_assert(sizeof(oarlock_effect_view) == 128, "a field of oarlock_effect_view has no place");
  put_text(w, view.controller);
  put_text(w, view.object_namespace);
  put_text(w, view.object_name);
  put_object(w, *view.primary);
  put_text(w, view.name);
  put_bytes(w, view.payload);
  put_bytes(w, view.observation);
  w.i64(view.lease_valid_until_ns);
  w.i64(time_left_ms);
}

taken_effect::taken_effect(reader& r) {
  view_.struct_size = sizeof(view_);
  view_.payload_encoding = OARLOCK_ENCODING_JSON;
  view_.observation_encoding = OARLOCK_ENCODING_JSON;
  view_.controller = take_text(r);
  view_.object_namespace = take_text(r);
  view_.object_name = take_text(r);
  primary_ = take_object(r);
  view_.primary = &primary_;
  view_.name = take_text(r);
  view_.payload = take_bytes(r);
  view_.observation = take_bytes(r);
  view_.lease_valid_until_ns = r.i64();
  time_left_ms_ = r.i64();
}

void put_log(writer& w, oarlock_log_level level, oarlock_str_view message,
             const oarlock_pair_view* pairs, std::uint64_t pair_count) {
  w.i32(level);
  put_short(w, message);
  w.u64(pair_count);
  const auto kept = pairs == nullptr ? 0 : std::min<std::uint64_t>(pair_count, log_pairs_max);
  w.u8(static_cast<std::uint8_t>(kept));
  for (std::uint64_t i = 0; i < kept; ++i) {
    put_short(w, pairs[i].key);
    put_short(w, pairs[i].value);
  }
}

taken_log take_log(reader& r) {
  taken_log out;
  out.level = r.i32();
  out.message = take_text(r);
  out.pair_count = r.u64();
  const std::size_t kept = r.u8();
  if (kept > log_pairs_max) r.fail();
  for (std::size_t i = 0; r.ok() && i < kept; ++i) {
    out.pairs[i].key = take_text(r);
    out.pairs[i].value = take_text(r);
  }
  out.has_pairs = kept > 0;
  return out;
}

}  // namespace oarlock::plugin::wire
