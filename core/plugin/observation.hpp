#pragma once
// observe() and plan() as one call: the receiving end of oarlock_observe_out.
#include <chrono>
#include <string>

#include "oarlock/plugin.h"

namespace oarlock::plugin {

/// How long observe() may take, as it is told. What takes longer meets the deadline of the child or
/// of the reconcile.
inline constexpr std::chrono::milliseconds observe_limit{5000};

/// Calls plan() with what observe() answers, if the plugin has one. When that fails, plan() is not
/// called, and its reason goes to `out` as if plan() had failed. Throws what the plugin throws.
/// `observed` is what plan() got to see of it.
[[nodiscard]] oarlock_status observe_and_plan(const oarlock_plugin& table, oarlock_instance* self,
                                              const oarlock_plan_view& view,
                                              const oarlock_plan_out& out, std::string& observed);

}  // namespace oarlock::plugin
