// The plugin: one controller, whose decisions are in plan.cpp.
#include "oarlock/sdk/plugin.hpp"
#include "plan.hpp"

namespace myapp {
namespace {

class reconciler final : public oarlock::sdk::reconciler {
 public:
  static constexpr std::string_view controller = "myapp";

  void plan(const oarlock::sdk::plan_input& input, oarlock::sdk::plan_output& output) override {
    myapp::plan(input, output);
  }
};

}  // namespace
}  // namespace myapp

OARLOCK_PLUGIN("myapp", "0.1.0", myapp::reconciler)
