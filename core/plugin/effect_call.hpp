#pragma once
// effect() of a plugin: the receiving end of oarlock_effect_out, in both homes.
#include <chrono>
#include <string>

#include "core/controller/reconciler.hpp"
#include "oarlock/plugin.h"

namespace oarlock::plugin {

/// The C view of an effect. Holds the primary's JSON; the rest is lent: both arguments must outlive
/// it.
class lent_effect {
 public:
  lent_effect(const controller::effect_input& input, const std::string& controller);
  lent_effect(const lent_effect&) = delete;
  lent_effect& operator=(const lent_effect&) = delete;

  [[nodiscard]] const oarlock_effect_view& view() const { return view_; }

 private:
  std::string resource_;
  std::string json_;
  oarlock_object_view primary_{};
  oarlock_effect_view view_{};
};

struct effect_answer {
  controller::effect_output came_to;
  bool is_unexplained = false;  ///< it failed and did not say why
};

/// Calls effect() if the plugin has one. Whatever it returns, says or throws is in the answer.
/// `reads`: what oarlock.read/1 reads meanwhile; may be null.
[[nodiscard]] effect_answer call_effect(const oarlock_plugin& table, oarlock_instance* self,
                                        const oarlock_effect_view& view,
                                        std::chrono::milliseconds time_left,
                                        controller::live_reads* reads);

}  // namespace oarlock::plugin
