#pragma once
// observe() and plan() as one call: the receiving end of oarlock_observe_out.
#include <string>

#include "core/controller/reconciler.hpp"
#include "oarlock/plugin.h"

namespace oarlock::plugin {

/// What observe() came to.
struct observed_outside {
  std::string json;             ///< what plan() got to see; empty: nothing
  bool is_unexplained = false;  ///< it failed and did not say why
};

/// Calls plan() with what observe() answers, if the plugin has one. When that fails, plan() is not
/// called, and its reason goes to `out` as if plan() had failed. Throws what the plugin throws.
/// `reads`: what oarlock.read/1 reads during observe(); may be null.
[[nodiscard]] oarlock_status observe_and_plan(const oarlock_plugin& table, oarlock_instance* self,
                                              const oarlock_plan_view& view,
                                              const oarlock_plan_out& out,
                                              observed_outside& observed,
                                              controller::live_reads* reads);

}  // namespace oarlock::plugin
