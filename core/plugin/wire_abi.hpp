#pragma once
// The structs of the C ABI as frames. A slot of oarlock_plan_out is one entry of plan_slots, and a
// new type of argument is one codec.
#include <array>
#include <tuple>
#include <type_traits>
#include <vector>

#include "core/plugin/wire.hpp"
#include "oarlock/ext/log.h"
#include "oarlock/plan.h"

namespace oarlock::plugin::wire {

/// Bytes or text of more than this cross as their size only; the other side refuses that size.
inline constexpr std::size_t view_bytes_max = 1536U << 10U;
inline constexpr std::size_t log_pairs_max = 12;
inline constexpr std::size_t log_text_bytes_max = 4096;

enum class lent_as : std::uint8_t { null, whole, too_long };

/// Text or bytes, whatever they point at.
struct lent_bytes {
  const char* data = nullptr;
  std::uint64_t size = 0;
};
void put_lent(writer& w, lent_bytes lent);
/// Views of the frame; a NULL stays one; what was too long points at zeros, one more than allowed.
[[nodiscard]] lent_bytes take_lent(reader& r);
/// OARLOCK_OK, or what the plugin is told at once about a view that can never be right.
[[nodiscard]] oarlock_status trouble_of(lent_bytes lent);

/// How an argument of a slot crosses: put() and trouble() where it is called, take() and lend()
/// where it is replayed.
template <class T>
struct codec {
  static_assert(std::is_integral_v<T>, "give this argument's type a codec");
  using held = T;
  static void put(writer& w, T v) { w.raw(&v, sizeof(v)); }
  static oarlock_status trouble(T) { return OARLOCK_OK; }
  static held take(reader& r) {
    if constexpr (sizeof(T) == 4) return static_cast<T>(r.u32());
    return static_cast<T>(r.u64());
  }
  static T lend(const held& h) { return h; }
};

template <>
struct codec<oarlock_str_view> {
  using held = oarlock_str_view;
  static void put(writer& w, held v) { put_lent(w, {v.data, v.size}); }
  static oarlock_status trouble(held v) { return trouble_of({v.data, v.size}); }
  static held take(reader& r) {
    const auto lent = take_lent(r);
    return {lent.data, lent.size};
  }
  static held lend(const held& h) { return h; }
};

template <>
struct codec<oarlock_bytes_view> {
  using held = oarlock_bytes_view;
  static void put(writer& w, held v) {
    put_lent(w, {reinterpret_cast<const char*>(v.data), v.size});
  }
  static oarlock_status trouble(held v) {
    return trouble_of({reinterpret_cast<const char*>(v.data), v.size});
  }
  static held take(reader& r) {
    const auto lent = take_lent(r);
    return {reinterpret_cast<const std::uint8_t*>(lent.data), lent.size};
  }
  static held lend(const held& h) { return h; }
};

template <>
struct codec<const oarlock_condition_view*> {
  struct held {
    bool is_null = true;
    oarlock_condition_view view{};
  };
  static void put(writer& w, const oarlock_condition_view* v);
  static oarlock_status trouble(const oarlock_condition_view* v);
  static held take(reader& r);
  static const oarlock_condition_view* lend(const held& h) { return h.is_null ? nullptr : &h.view; }
};

template <>
struct codec<const oarlock_target_view*> {
  struct held {
    bool is_null = true;
    oarlock_target_view view{};
  };
  static void put(writer& w, const oarlock_target_view* v);
  static oarlock_status trouble(const oarlock_target_view* v);
  static held take(reader& r);
  static const oarlock_target_view* lend(const held& h) { return h.is_null ? nullptr : &h.view; }
};

/// A slot and its name in log records.
template <auto Slot>
struct slot {
  static constexpr auto at = Slot;
  const char* name;
};

/// Every slot of oarlock_plan_out, in the order of the table.
inline constexpr std::tuple plan_slots{
    slot<&oarlock_plan_out::apply>{"apply"},
    slot<&oarlock_plan_out::status>{"status"},
    slot<&oarlock_plan_out::condition>{"condition"},
    slot<&oarlock_plan_out::event>{"event"},
    slot<&oarlock_plan_out::requeue_after>{"requeue_after"},
    slot<&oarlock_plan_out::fail>{"fail"},
    slot<&oarlock_plan_out::finished>{"finished"},
    slot<&oarlock_plan_out::create_once>{"create_once"},
    slot<&oarlock_plan_out::patch_existing>{"patch_existing"},
    slot<&oarlock_plan_out::remove>{"remove"},
    slot<&oarlock_plan_out::swap_status>{"swap_status"},
    slot<&oarlock_plan_out::effect>{"effect"},
};
inline constexpr std::size_t plan_slot_count = std::tuple_size_v<decltype(plan_slots)>;
static_assert(sizeof(oarlock_plan_out) ==
                  offsetof(oarlock_plan_out, apply) + plan_slot_count * sizeof(void*),
              "oarlock_plan_out has a slot that plan_slots lacks");
/// The number of the slot effect.
inline constexpr std::size_t effect_slot = 11;
static_assert(std::get<effect_slot>(plan_slots).at == &oarlock_plan_out::effect);
/// A log record between the calls of a plan, in their order.
inline constexpr std::uint8_t log_call = 255;
/// What a plan with effects has observed: once, after its calls.
inline constexpr std::uint8_t observed_call = 254;
/// That observe() or an effect failed without saying why.
inline constexpr std::uint8_t unexplained_call = 253;

/// The name of a slot of a plan's table, or of the stray_slots behind these; "?" for a number that
/// is none.
[[nodiscard]] const char* slot_name(std::size_t index);

template <class... Args>
void put_call(writer& w, std::size_t index, Args... args) {
  w.u8(static_cast<std::uint8_t>(index));
  (codec<Args>::put(w, args), ...);
}

/// Calls slot number `index` of `out` with the arguments that follow in `r`. Fails `r` on a number
/// that is no slot and on arguments that are cut.
void replay_call(std::size_t index, const oarlock_plan_out* out, reader& r);

// --- inputs of a plan ---

void put_input(writer& w, const oarlock_plan_view& view);

/// A plan's inputs as views of the frame they came in.
class taken_input {
 public:
  explicit taken_input(reader& r);
  taken_input(const taken_input&) = delete;
  taken_input& operator=(const taken_input&) = delete;
  [[nodiscard]] const oarlock_plan_view* view() const { return &view_; }

 private:
  std::vector<oarlock_object_view> objects_;
  oarlock_failure_view failure_{};
  std::vector<oarlock_note_view> notes_;
  oarlock_inbound_view inbound_{};
  oarlock_plan_view view_{};
};

// --- effects ---

void put_effect(writer& w, const oarlock_effect_view& view, std::int64_t time_left_ms);

/// An effect's inputs as views of the frame they came in.
class taken_effect {
 public:
  explicit taken_effect(reader& r);
  taken_effect(const taken_effect&) = delete;
  taken_effect& operator=(const taken_effect&) = delete;
  [[nodiscard]] const oarlock_effect_view& view() const { return view_; }
  [[nodiscard]] std::int64_t time_left_ms() const { return time_left_ms_; }

 private:
  oarlock_object_view primary_{};
  oarlock_effect_view view_{};
  std::int64_t time_left_ms_ = 0;
};

// --- log records ---

void put_log(writer& w, oarlock_log_level level, oarlock_str_view message,
             const oarlock_pair_view* pairs, std::uint64_t pair_count);

struct taken_log {
  oarlock_log_level level = 0;
  oarlock_str_view message{};
  std::array<oarlock_pair_view, log_pairs_max> pairs{};
  std::uint64_t pair_count = 0;
  bool has_pairs = false;
};
[[nodiscard]] taken_log take_log(reader& r);

}  // namespace oarlock::plugin::wire
