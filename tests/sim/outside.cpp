#include "tests/sim/outside.hpp"

#include "core/json/scan.hpp"

namespace oarlock::sim {

using controller::effect_output;
using controller::plan_verdict;

void outside::add_to(controller::plan_output& plan, const cache::object& primary) const {
  if (plan.verdict != plan_verdict::done || primary.meta().deleting) return;
  const auto image = json::scan_string(primary.json(), "/spec/image").value_or("");
  const auto found = apps_.find(primary.meta().uid);
  const app is = found == apps_.end() ? app{} : found->second;
  plan.observation = std::make_shared<const std::string>("\"" + is.used + "\"");
  if (is.used == image) return;
  const controller::plugin_effect use{"use", image};
  if (is.prepared != image) {
    plan.steps.insert(plan.steps.begin(), controller::plugin_effect{"prepare", image});
    ++plan.steps_before_apply_set;
  }
  plan.steps.emplace_back(use);
}

effect_output outside::act(const controller::effect_input& input, const std::string& by) {
  if (refuse()) return {plan_verdict::retry, "ServerAway", "refused by the test", {}};
  const auto title = by + ": " + input.what.name + " " + input.key.text();
  auto& one = apps_[input.primary->meta().uid];
  if (input.observation == nullptr || *input.observation != "\"" + one.used + "\"") {
    problems.push_back(title + ": somebody else acted since it was observed");
  }
  happen(one, input.what, title);
  if (lose_answer()) return {plan_verdict::retry, "AnswerLost", "lost by the test", {}};
  return {};
}

void outside::happen(app& one, const controller::plugin_effect& what, const std::string& title) {
  ++happened;
  if (what.name == "prepare") {
    if (one.prepared == what.payload) problems.push_back(title + ": done twice");
    one.prepared = what.payload;
    return;
  }
  if (one.prepared != what.payload) problems.push_back(title + ": out of order");
  if (one.used == what.payload) problems.push_back(title + ": done twice");
  one.used = what.payload;
  ++uses;
}

std::string outside::used_by(const std::string& uid) const {
  const auto found = apps_.find(uid);
  return found == apps_.end() ? std::string() : found->second.used;
}

}  // namespace oarlock::sim
