#include "core/plugin/thread_call.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/plugin/plugin_call.hpp"

namespace oarlock::plugin {

namespace {

constexpr std::array<std::string_view, 5> control_slots = {"create", "start", "drain", "stop",
                                                           "destroy"};

extern "C" {

static oarlock_thread host_thread_current(oarlock_host_ctx*) {
  const auto* const call = current_plugin_call();
  if (call == nullptr) return OARLOCK_THREAD_OWN;
  const bool is_control =
      std::find(control_slots.begin(), control_slots.end(), call->slot) != control_slots.end();
  return is_control ? OARLOCK_THREAD_CONTROL : OARLOCK_THREAD_WORKER;
}

}  // extern "C"

}  // namespace

const oarlock_host_thread* thread_table() {
  static constexpr oarlock_host_thread table = {sizeof(oarlock_host_thread), 0,
                                                &host_thread_current};
  return &table;
}

}  // namespace oarlock::plugin
