// Tells of Pods that are not ready. The same in Go: bench/peers/go/cmd/fleet.
#include "oarlock/sdk/plugin.hpp"

namespace {

namespace sdk = oarlock::sdk;

class reconciler final : public sdk::reconciler {
 public:
  static constexpr std::string_view controller = "readiness";

  void plan(const sdk::plan_input& input, sdk::plan_output& output) override {
    for (const sdk::object& pod : input.watched()) {
      if (pod.condition("Ready")["status"].text() == "True") continue;
      output.warning_event("PodNotReady", std::string(pod.name()).append(" is not ready"));
    }
  }
};

}  // namespace

OARLOCK_PLUGIN("readiness", "0.1.0", reconciler)
