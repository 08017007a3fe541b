#pragma once
// A slot of the host that a plugin called where its tag line forbids it: outside of its call, or on
// another thread. The call does nothing; who made it is named.
#include <cstdint>
#include <string_view>

#include "oarlock/host.h"

namespace oarlock::plugin {

/// Those beside the slots of a plan's table, which plan_sink and wire::slot_name() know.
enum class stray_slot : std::uint32_t {
  observe_answer,
  observe_fail,
  effect_fail,
  inbound_answer,
  inbound_note,
  read_get,
  cache_open,
  cache_next,
  cache_close,
  review_refuse,
  review_warn,
  review_object,
};

/// "oarlock_effect_out.fail"; "?" for a number that is none.
[[nodiscard]] const char* name_of(stray_slot slot);

/// Whether one more stray call of a slot, by its name, is said: the first ten of a plugin are.
[[nodiscard]] bool is_stray_call_told(std::string_view slot, std::string_view plugin);

/// Says it in the log, or in a child to who was set, if it is to be said.
/// Thread: any.
void tell_stray_call(stray_slot slot, std::string_view plugin) noexcept;
/// The same of whose host this is.
void tell_stray_call(stray_slot slot, oarlock_host_ctx* host) noexcept;

/// Whom a child tells instead. Thread: main, before there are others.
void tell_stray_calls_to(void (*teller)(stray_slot slot));

}  // namespace oarlock::plugin
