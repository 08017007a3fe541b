// Tells of Pods that run another image than the Deployment's template says. The same in Go:
// bench/peers/go/cmd/fleet.
#include "oarlock/sdk/plugin.hpp"

namespace {

namespace sdk = oarlock::sdk;

std::string_view image_of(sdk::json::node containers, std::string_view name) {
  for (const sdk::json::node container : containers) {
    if (container["name"].text() == name) return container["image"].text();
  }
  return {};
}

class reconciler final : public sdk::reconciler {
 public:
  static constexpr std::string_view controller = "images";

  void plan(const sdk::plan_input& input, sdk::plan_output& output) override {
    const auto wanted = input.primary()["spec"]["template"]["spec"]["containers"];
    for (const sdk::object& pod : input.watched()) {
      for (const sdk::json::node container : pod["spec"]["containers"]) {
        if (container["image"].text() == image_of(wanted, container["name"].text())) continue;
        output.warning_event("OtherImage", std::string(pod.name()).append(" runs another image"));
      }
    }
  }
};

}  // namespace

OARLOCK_PLUGIN("images", "0.1.0", reconciler)
