// For the test of upgrades: a ConfigMap for each MyApp, which says which version of the plugin made
// it of what.
#include <string>

#include "oarlock/sdk/plugin.hpp"

namespace {

namespace json = oarlock::sdk::json;

class turner final : public oarlock::sdk::reconciler {
 public:
  static constexpr std::string_view controller = "turner";

  explicit turner(const oarlock::sdk::setup& s)
      : plans_(s.metrics.counters("plans_total", "Plans made, by result", {"result"}).add({"ok"})),
        replicas_(s.metrics.gauges("replicas", "Replicas of the last plan").add()),
        sizes_(s.metrics.histograms("object_bytes", "Sizes of primaries", {}, {100, 1000}).add()) {}

  void plan(const oarlock::sdk::plan_input& input, oarlock::sdk::plan_output& output) override {
    if (input.deleting()) return output.finished();  // where a test asks for a finalizer
    const auto replicas = input.primary()["spec"]["replicas"].integer();
    plans_.increment();
    replicas_.set(static_cast<double>(replicas));
    sizes_.observe(static_cast<double>(input.primary().json_text().size()));
    output.apply(json::object({{"apiVersion", "v1"},
                               {"kind", "ConfigMap"},
                               {"metadata", json::object({{"name", input.name()}})},
                               {"data", json::object({{"by", TURNER_VERSION},
                                                      {"replicas", std::to_string(replicas)}})}}));
  }

 private:
  oarlock::sdk::counter plans_;
  oarlock::sdk::gauge replicas_;
  oarlock::sdk::histogram sizes_;
};

}  // namespace

OARLOCK_PLUGIN("turner", TURNER_VERSION, turner)
