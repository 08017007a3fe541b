#pragma once
// A controller's reconciler over the C ABI: inputs out as views, answers back through a plan_sink.
#include <atomic>
#include <string>

#include "core/controller/reconciler.hpp"
#include "core/plugin/host_table.hpp"
#include "core/plugin/plan_sink.hpp"
#include "oarlock/plugin.h"

namespace oarlock::plugin {

/// What the reconcilers of one instance share. `is_running` is true from start() until stop().
struct instance_parts {
  std::string plugin;
  std::string version;
  const oarlock_plugin* table = nullptr;
  oarlock_instance* self = nullptr;
  std::atomic<bool> is_running{false};
  plan_sinks* sinks = nullptr;
  const host_table* host = nullptr;
  code_range code;
};

/// A plan that came to nothing, and why.
[[nodiscard]] controller::plan_output failed_plan(controller::plan_verdict verdict,
                                                  const char* reason, std::string message);

/// Gives a plan with effects what it has observed, for them.
void keep_observation(controller::plan_output& out, std::string observed);

class bridge final : public controller::reconciler {
 public:
  /// `parts` must outlive this.
  bridge(const instance_parts& parts, std::string controller)
      : parts_(&parts), controller_(std::move(controller)) {}

  /// Thread: any, several at the same time for different keys.
  [[nodiscard]] controller::plan_output plan(const controller::plan_input& input) override;
  [[nodiscard]] controller::effect_output effect(const controller::effect_input& input) override;
  [[nodiscard]] code_range code() const override { return parts_->code; }

 private:
  const instance_parts* parts_;
  std::string controller_;
};

}  // namespace oarlock::plugin
