// Wants the Deployment that spec.claims names.
#include "oarlock/sdk/plugin.hpp"

namespace {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;

json::value labels() {
  return json::object({{"app", "rival"}});
}

class reconciler final : public sdk::reconciler {
 public:
  static constexpr std::string_view controller = "rival";

  void plan(const sdk::plan_input& input, sdk::plan_output& output) override {
    const auto spec = input.primary()["spec"];
    const auto container = json::object({{"name", "rival"}, {"image", "rival:latest"}});
    output.apply(json::object({
        {"apiVersion", "apps/v1"},
        {"kind", "Deployment"},
        {"metadata", json::object({{"name", std::string(spec["claims"].text())}})},
        {"spec",
         json::object({
             {"replicas", spec["replicas"].integer()},
             {"selector", json::object({{"matchLabels", labels()}})},
             {"template",
              json::object({{"metadata", json::object({{"labels", labels()}})},
                            {"spec", json::object({{"containers", json::array({container})}})}})},
         })},
    }));
  }
};

}  // namespace

OARLOCK_PLUGIN("rival", "0.1.0", reconciler)
