// A C++ plugin on the SDK that throws whatever the planned object's name asks for.
#include <new>
#include <stdexcept>

#include "oarlock/sdk/plugin.hpp"

namespace {

using oarlock::sdk::plan_input;
using oarlock::sdk::plan_output;

class thrower final : public oarlock::sdk::reconciler {
 public:
  static constexpr std::string_view controller = "zoo";

  explicit thrower(const oarlock::sdk::setup& s) : log_(s.log) {
    if (s.config["explode"].boolean()) throw std::runtime_error("told to explode");
  }

  void plan(const plan_input& input, plan_output& output) override {
    namespace json = oarlock::sdk::json;
    log_.info("planning", {{"controller", input.controller()}});
    if (input.name() == "exception") throw std::runtime_error("a std::exception");
    if (input.name() == "number") throw 42;
    if (input.name() == "memory") throw std::bad_alloc();
    if (input.name() == "retry") throw oarlock::sdk::retry_error("Later", "not yet");
    if (input.name() == "terminal") throw oarlock::sdk::terminal_error("Never", "cannot be");
    if (input.name() == "refused") output.apply(json::object({{"kind", "Secret"}}));
    if (input.name() == "copy") {
      output.apply(json::object({{"apiVersion", "v1"},
                                 {"kind", "ConfigMap"},
                                 {"metadata", json::object({{"name", input.primary().name()}})},
                                 {"data", json::copy(input.primary()["data"])}}));
      output.condition("Ready", oarlock::sdk::condition_status::yes, "Copied", "");
    }
  }

 private:
  oarlock::sdk::logger log_;
};

}  // namespace

OARLOCK_PLUGIN("zoo", "1.0.0", thrower)
