#include "core/plugin/stray_call.hpp"

#include <array>
#include <map>
#include <string>
#include <utility>

#include "core/base/guarded.hpp"
#include "core/base/log.hpp"
#include "core/plugin/host_table.hpp"

namespace oarlock::plugin {

namespace {

constexpr std::array<const char*, 12> names = {
    "oarlock_observe_out.answer", "oarlock_observe_out.fail", "oarlock_effect_out.fail",
    "oarlock_inbound_out.answer", "oarlock_inbound_out.note", "oarlock_host_read.get",
    "oarlock_host_cache.open",    "oarlock_host_cache.next",  "oarlock_host_cache.close",
    "oarlock_review_out.refuse",  "oarlock_review_out.warn",  "oarlock_review_out.object"};
static_assert(names.size() == static_cast<std::size_t>(stray_slot::review_object) + 1);

void (*instead)(stray_slot slot) = nullptr;

constexpr int times_max = 10;

}  // namespace

// Plugins are few, and slots are fewer.
bool is_stray_call_told(std::string_view slot, std::string_view plugin) {
  static auto& told = *new guarded<std::map<std::pair<std::string, std::string>, int>>;
  return told.with([&](auto& all) {
    auto& times = all[{std::string(plugin), std::string(slot)}];
    return times < times_max && ++times > 0;
  });
}

const char* name_of(stray_slot slot) {
  const auto index = static_cast<std::size_t>(slot);
  return index < names.size() ? names[index] : "?";
}

void tell_stray_call(stray_slot slot, std::string_view plugin) noexcept {
  try {
    if (!is_stray_call_told(name_of(slot), plugin)) return;
    if (instead != nullptr) return instead(slot);
    log_warn("plugin calls a slot outside of its call or on another thread",
             {{"plugin", plugin}, {"call", name_of(slot)}});
  } catch (...) {
    // Out of memory: the call was refused all the same.
  }
}

void tell_stray_call(stray_slot slot, oarlock_host_ctx* host) noexcept {
  // In a child it is the child's, which has one plugin.
  tell_stray_call(slot, instead == nullptr ? host_table::lent_to(host) : std::string_view());
}

void tell_stray_calls_to(void (*teller)(stray_slot slot)) {
  instead = teller;
}

}  // namespace oarlock::plugin
