#include "core/plugin/child_answer.hpp"

#include <fmt/format.h>

#include <cstring>

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"
#include "core/json/utf8.hpp"
#include "core/plugin/bridge.hpp"
#include "core/plugin/lent_text.hpp"

namespace oarlock::plugin {

void write_log(const wire::taken_log& record, const host_table& host) {
  const auto* table = static_cast<const oarlock_host_log*>(host.table()->extension(
      host.table()->ctx, {OARLOCK_EXT_LOG, std::string_view(OARLOCK_EXT_LOG).size()}));
  // The array has room for all that the table looks at, whatever the count says.
  table->write(host.table()->ctx, record.level, record.message,
               record.has_pairs ? record.pairs.data() : nullptr, record.pair_count);
}

namespace {

// What observation.cpp lets through in the child.
bool is_observation(std::string_view text) {
  return text.empty() ||
         (text.size() <= plan_limits::object_bytes_max && json::parse(std::string(text)));
}

}  // namespace

std::optional<controller::plan_output> replay_answer(std::string_view payload,
                                                     const controller::plan_input& input,
                                                     plan_sink& sink, const host_table& host) {
  wire::reader r(payload);
  const oarlock_status returned = r.i32();
  const bool threw = r.u8() != 0;
  const bool too_much = r.u8() != 0;
  std::string_view what = r.text();
  const auto calls = r.count(wire::calls_max, 1);
  const oarlock_plan_out* out = sink.open(input);
  std::string_view observed;
  bool is_unexplained = false;
  for (std::uint64_t i = 0; r.ok() && i < calls; ++i) {
    const auto index = r.u8();
    if (index == wire::observed_call) {
      observed = r.text();
      continue;
    }
    if (index == wire::unexplained_call) {
      is_unexplained = true;
      continue;
    }
    if (index != wire::log_call) {
      wire::replay_call(index, out, r);
      continue;
    }
    const auto record = wire::take_log(r);
    if (r.ok()) write_log(record, host);
  }
  if (!r.ok() || !r.at_end() || !is_observation(observed)) {
    (void)sink.close_refused({});
    return std::nullopt;
  }
  if (threw) {
    if (json::first_not_utf8(what)) what = "something that is not UTF-8";
    return sink.close_after_throw(what);
  }
  if (too_much) {
    return sink.close_refused(
        fmt::format("expected at most {} calls and {} bytes in one plan, "
                    "found more",
                    wire::calls_max, wire::reply_bytes_max));
  }
  auto made = sink.close(returned);
  if (is_unexplained || sink.is_unexplained()) host.count_unexplained();
  keep_observation(made, std::string(observed));
  return made;
}

std::optional<controller::effect_output> take_effect_answer(std::string_view payload,
                                                            const host_table& host) {
  wire::reader r(payload);
  const auto verdict = r.u8();
  controller::effect_output out;
  out.verdict = static_cast<controller::plan_verdict>(verdict);
  out.reason = r.text();
  out.message = r.text();
  const auto records = r.count(wire::calls_max, 1);
  bool is_unexplained = false;
  for (std::uint64_t i = 0; r.ok() && i < records; ++i) {
    const auto index = r.u8();
    if (index == wire::unexplained_call) {
      is_unexplained = true;
      continue;
    }
    if (index != wire::log_call) return std::nullopt;
    const auto record = wire::take_log(r);
    if (r.ok()) write_log(record, host);
  }
  if (!r.ok() || !r.at_end() || verdict > static_cast<int>(controller::plan_verdict::terminal)) {
    return std::nullopt;
  }
  if (out.verdict == controller::plan_verdict::done) return controller::effect_output{};
  if (is_unexplained) host.count_unexplained();
  const bool is_well = is_reason(out.reason) &&
                       out.reason.size() <= plan_limits::condition_reason_bytes_max &&
                       out.message.size() <= limits::condition_message_bytes_max &&
                       !json::first_not_utf8(out.message);
  return is_well ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<notice> take_notice(std::string_view packet) {
  notice out;
  wire::reader r(packet);
  out.what = static_cast<wire::frame>(r.u32());
  switch (out.what) {
    case wire::frame::crashed: {
      if (packet.size() != sizeof(wire::crash_record)) return std::nullopt;
      wire::crash_record record;
      std::memcpy(&record, packet.data(), sizeof(record));
      if (record.count > wire::frames_of_stack_max) return std::nullopt;
      out.crash = record;
      return out;
    }
    case wire::frame::exiting:
      out.worker = r.i32();
      break;
    case wire::frame::stray_call:
      out.slot = wire::slot_name(r.u32());
      break;
    case wire::frame::logged:
      out.log = wire::take_log(r);
      break;
    case wire::frame::enqueued:
      for (auto* text : {&out.controller, &out.ns, &out.name})
        *text = r.text();
      break;
    case wire::frame::measured:
      out.metrics = packet.substr(sizeof(std::uint32_t));
      return out;
    default:
      return std::nullopt;
  }
  return r.ok() && r.at_end() ? std::optional(out) : std::nullopt;
}

}  // namespace oarlock::plugin
