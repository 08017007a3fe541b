#include "core/plugin/plugin_call.hpp"

#include <atomic>

namespace oarlock::plugin {

namespace {

thread_local const plugin_call* current = nullptr;

// The handler of this thread's own signal sees the call before what it calls, and after.
const plugin_call* set_current(const plugin_call* what) {
  const auto* before = current;
  current = what;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return before;
}

}  // namespace

plugin_call_scope::plugin_call_scope(const plugin_call& what) : outer_(set_current(&what)) {}
plugin_call_scope::~plugin_call_scope() {
  set_current(outer_);
}

const plugin_call* current_plugin_call() noexcept {
  return current;
}

}  // namespace oarlock::plugin
