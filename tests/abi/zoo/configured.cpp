// Says in .status.crew how it was configured.
#include "oarlock/sdk/plugin.hpp"

namespace {

namespace sdk = oarlock::sdk;

class zoo : public sdk::reconciler {
 public:
  static constexpr std::string_view controller = "zoo";
  explicit zoo(const sdk::setup& s) : crew_(s.config["crew"].integer(-1)) {}
  void plan(const sdk::plan_input&, sdk::plan_output& output) override {
    output.status(sdk::json::object({{"crew", crew_}}));
  }

 private:
  std::int64_t crew_;
};

}  // namespace

OARLOCK_PLUGIN("zoo", "1.0.0", zoo)
