// Tells of containers that request no CPU or no memory. The same in Go: bench/peers/go/cmd/fleet.
#include "oarlock/sdk/plugin.hpp"

namespace {

namespace sdk = oarlock::sdk;

bool all_request(sdk::json::node containers) {
  for (const sdk::json::node container : containers) {
    const auto requests = container["resources"]["requests"];
    if (!requests["cpu"].exists() || !requests["memory"].exists()) return false;
  }
  return true;
}

class reconciler final : public sdk::reconciler {
 public:
  static constexpr std::string_view controller = "requests";

  void plan(const sdk::plan_input& input, sdk::plan_output& output) override {
    const auto spec = input.primary()["spec"]["template"]["spec"];
    bool fine = all_request(spec["containers"]);
    for (const sdk::object& pod : input.watched())
      fine = fine && all_request(pod["spec"]["containers"]);
    if (!fine) output.warning_event("NoRequests", "a container requests no CPU or no memory");
  }
};

}  // namespace

OARLOCK_PLUGIN("requests", "0.1.0", reconciler)
