// For the test of upgrades: a ConfigMap for each MyApp, which says which version of the plugin made
// it of what.
#include <string>

#include "oarlock/sdk/plugin.hpp"

namespace {

namespace json = oarlock::sdk::json;

class turner final : public oarlock::sdk::reconciler {
 public:
  static constexpr std::string_view controller = "turner";

  void plan(const oarlock::sdk::plan_input& input, oarlock::sdk::plan_output& output) override {
    const auto replicas = input.primary()["spec"]["replicas"].integer();
    output.apply(json::object({{"apiVersion", "v1"},
                               {"kind", "ConfigMap"},
                               {"metadata", json::object({{"name", input.name()}})},
                               {"data", json::object({{"by", TURNER_VERSION},
                                                      {"replicas", std::to_string(replicas)}})}}));
  }
};

}  // namespace

OARLOCK_PLUGIN("turner", TURNER_VERSION, turner)
