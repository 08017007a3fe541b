#include "core/plugin/bridge.hpp"

#include <algorithm>
#include <exception>

#include "core/base/assert.hpp"
#include "core/plugin/cursor_calls.hpp"
#include "core/plugin/effect_call.hpp"
#include "core/plugin/lent_input.hpp"
#include "core/plugin/observation.hpp"
#include "core/plugin/plugin_call.hpp"

namespace oarlock::plugin {

using controller::plan_input;
using controller::plan_output;
using controller::plan_verdict;

namespace {

plan_output call(const instance_parts& parts, const oarlock_plan_view* view,
                 const plan_input& input, plan_sink& sink) {
  const oarlock_plan_out* out = sink.open(input);
  const plugin_call what{parts.plugin.c_str(), parts.version.c_str(), "plan", input.key.ns.c_str(),
                         input.key.name.c_str()};
  const plugin_call_scope mark(what);
  try {
    cached_cursors reads(input.cache);
    const cursor_scope scope(reads);
    observed_outside observed;
    auto made =
        sink.close(observe_and_plan(*parts.table, parts.self, *view, *out, observed, input.reads));
    if (observed.is_unexplained || sink.is_unexplained()) parts.host->count_unexplained();
    keep_observation(made, std::move(observed.json));
    return made;
  } catch (const std::exception& e) {
    return sink.close_after_throw(e.what());
  } catch (...) {
    return sink.close_after_throw("something that is not a std::exception");
  }
}

}  // namespace

plan_output failed_plan(plan_verdict verdict, const char* reason, std::string message) {
  plan_output out;
  out.verdict = verdict;
  out.fail_reason = reason;
  out.fail_message = std::move(message);
  return out;
}

void keep_observation(plan_output& out, std::string observed) {
  const bool is_needed = std::any_of(out.steps.begin(), out.steps.end(), [](const auto& step) {
    return std::holds_alternative<controller::plugin_effect>(step);
  });
  if (is_needed && !observed.empty()) {
    out.observation = std::make_shared<const std::string>(std::move(observed));
  }
}

plan_output bridge::plan(const plan_input& input) {
  if (!parts_->is_running) {
    return failed_plan(plan_verdict::retry, "PluginNotRunning",
                       "expected plugin " + parts_->plugin + " to be started and not stopped");
  }
  OARLOCK_ASSERT(input.spec != nullptr && input.primary != nullptr,
                 "a plan has a controller and a primary object");
  try {
    const lent_input lent(input, controller_);
    plan_sink& sink = parts_->sinks->borrow();
    plan_output output = call(*parts_, lent.view(), input, sink);
    parts_->sinks->give_back(sink);
    return output;
  } catch (const std::exception& e) {
    return failed_plan(plan_verdict::retry, "PlanFailed", e.what());  // out of memory
  }
}

controller::effect_output bridge::effect(const controller::effect_input& input) {
  if (!parts_->is_running) {
    return {plan_verdict::retry,
            "PluginNotRunning",
            "expected plugin " + parts_->plugin + " to be started and not stopped",
            {}};
  }
  try {
    const lent_effect lent(input, controller_);
    const plugin_call what{parts_->plugin.c_str(), parts_->version.c_str(), "effect",
                           input.key.ns.c_str(), input.key.name.c_str()};
    const plugin_call_scope mark(what);
    auto answer =
        call_effect(*parts_->table, parts_->self, lent.view(), input.time_left, input.reads);
    if (answer.is_unexplained) parts_->host->count_unexplained();
    return std::move(answer.came_to);
  } catch (const std::exception& e) {
    return {plan_verdict::retry, "EffectFailed", e.what(), {}};  // out of memory
  }
}

}  // namespace oarlock::plugin
