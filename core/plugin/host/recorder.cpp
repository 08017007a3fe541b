#include "core/plugin/host/recorder.hpp"

#include <sys/socket.h>

#include "core/plugin/frame_io.hpp"
#include "core/plugin/stray_call.hpp"

namespace oarlock::plugin::host {

namespace {

// Of this thread's plan; log records go to it.
thread_local recorder* open_recorder = nullptr;

}  // namespace

void send_notice(const std::string& packet) {
  ::send(wire::notice_fd, packet.data(), packet.size(), MSG_NOSIGNAL);
}

void send_stray_call(std::size_t slot) {
  std::string packet;
  wire::writer w(packet);
  w.u32(static_cast<std::uint32_t>(wire::frame::stray_call));
  w.u32(static_cast<std::uint32_t>(slot));
  send_notice(packet);
}

template <std::size_t Index, class... Args>
oarlock_status recorder::record(oarlock_plan_ctx* ctx, Args... args) noexcept {
  if (ctx == nullptr) return OARLOCK_INVALID;
  auto& self = *reinterpret_cast<recorder*>(ctx);
  try {
    if (!self.takes_calls()) {
      if (is_stray_call_told(wire::slot_name(Index), {})) send_stray_call(Index);
      return OARLOCK_INVALID;
    }
    if (!self.make_room()) return OARLOCK_LIMIT;
    wire::writer w(self.calls_);
    wire::put_call<Args...>(w, Index, args...);
    self.has_effect_ = self.has_effect_ || Index == wire::effect_slot;
    // What this side can tell at once; the daemon refuses the same call, and more.
    oarlock_status trouble = OARLOCK_OK;
    ((trouble = trouble != OARLOCK_OK ? trouble : wire::codec<Args>::trouble(args)), ...);
    return trouble;
  } catch (...) {
    self.too_much_ = true;
    return OARLOCK_LIMIT;  // out of memory
  }
}

template <std::size_t... I>
void recorder::fill_all(std::index_sequence<I...>) {
  (fill<I>(std::get<I>(wire::plan_slots).at), ...);
}

recorder::recorder() {
  table_.struct_size = sizeof(table_);
  table_.ctx = reinterpret_cast<oarlock_plan_ctx*>(this);
  fill_all(std::make_index_sequence<wire::plan_slot_count>());
}

bool recorder::takes_calls() const {
  return is_open_ && thread_ == std::this_thread::get_id();
}

bool recorder::make_room() {
  too_much_ = too_much_ || count_ >= wire::calls_max ||
              calls_.size() + wire::view_bytes_max > wire::reply_bytes_max;
  if (!too_much_) ++count_;
  return !too_much_;
}

void recorder::clear() {
  calls_.clear();
  if (calls_.capacity() > wire::view_bytes_max) calls_.shrink_to_fit();
  count_ = 0;
  too_much_ = false;
  has_effect_ = false;
  open_recorder = this;
}

void recorder::open_for_logs() {
  clear();
}

std::string& recorder::close(const controller::effect_output& done) {
  open_recorder = nullptr;
  wire::begin_frame(answer_);
  wire::writer w(answer_);
  w.u8(static_cast<std::uint8_t>(done.verdict));
  w.text(done.reason);
  w.text(done.message);
  w.u64(count_);
  w.raw(calls_.data(), calls_.size());
  return answer_;
}

void recorder::observed(std::string_view observation) {
  if (!has_effect_ || observation.empty() || !make_room()) return;
  wire::writer w(calls_);
  w.u8(wire::observed_call);
  w.text(observation);
}

void recorder::unexplained() {
  if (make_room()) wire::writer(calls_).u8(wire::unexplained_call);
}

const oarlock_plan_out* recorder::open() {
  clear();
  thread_ = std::this_thread::get_id();
  is_open_ = true;
  return &table_;
}

std::string& recorder::close(oarlock_status returned, bool threw, std::string_view what) {
  is_open_ = false;
  open_recorder = nullptr;
  wire::begin_frame(answer_);
  wire::writer w(answer_);
  w.i32(returned);
  w.u8(threw ? 1 : 0);
  w.u8(too_much_ ? 1 : 0);
  w.text(what.substr(0, wire::log_text_bytes_max));
  w.u64(count_);
  w.raw(calls_.data(), calls_.size());
  return answer_;
}

bool recorder::log(oarlock_log_level level, oarlock_str_view message,
                   const oarlock_pair_view* pairs, std::uint64_t pair_count) {
  recorder* const self = open_recorder;
  if (self == nullptr) return false;
  // A record too many is dropped and is no reason to fail the plan.
  if (self->count_ >= wire::calls_max / 2 ||
      self->calls_.size() + wire::notice_bytes_max * 4 > wire::reply_bytes_max / 4) {
    return true;
  }
  ++self->count_;
  wire::writer w(self->calls_);
  w.u8(wire::log_call);
  wire::put_log(w, level, message, pairs, pair_count);
  return true;
}

}  // namespace oarlock::plugin::host
