#pragma once
// A started plugin of the zoo, and inputs for its plans.
#include <memory>
#include <string>
#include <utility>

#include "core/controller/reconcile_log.hpp"
#include "core/controller/reconciler.hpp"
#include "tests/abi/zoo.hpp"
#include "tests/support/fake_clock.hpp"

namespace oarlock::abi {

inline cache::object_ptr animal(const std::string& name) {
  cache::object_meta meta;
  meta.key = {"shop", name};
  return std::make_shared<const cache::object>(
      std::move(meta), R"({"apiVersion":"example.com/v1","kind":"Animal","metadata":{"name":")" +
                           name + R"(","namespace":"shop"},"data":{"a":[1,2.5,null,true]}})");
}

class started {
 public:
  started(const std::string& name, home in, const std::string& config = "{}",
          const plugin::child_settings& settings = zoo_settings(),
          const std::string& manifest = zoo_manifest()) {
    auto loaded = load_bytes(here_, read_whole(zoo_file(name)), in, manifest, config, settings);
    EXPECT_TRUE(loaded) << loaded.error().message;
    if (!loaded) return;
    plugin_ = std::move(*loaded);
    const auto begun = plugin_->start();
    EXPECT_TRUE(begun) << begun.error().message;
  }

  /// Of the animal `name`, with one owned object and one watched one.
  [[nodiscard]] controller::plan_input input(const std::string& name) const {
    controller::plan_input input;
    input.spec = &plugin_->declared().controllers.front();
    input.key = {"shop", name};
    input.primary = animal(name);
    input.owned.push_back({&input.spec->owns.front(), animal("owned")});
    test::fixed_random random;
    input.log = std::make_shared<controller::reconcile_log>(*input.spec, input.key, random);
    input.watched.push_back({&input.spec->watches.front().resource, animal("watched")});
    return input;
  }
  controller::plan_output plan(const controller::plan_input& input) {
    const log_scope said(input.log);  // as the lane does it
    return plugin_->reconciler_for("zoo").plan(input);
  }
  controller::plan_output plan(const std::string& name, bool deleting = false) {
    auto one = input(name);
    one.deleting = deleting;
    return plan(one);
  }
  /// Of the animal "one".
  [[nodiscard]] controller::effect_input effect_input(const std::string& name) const {
    controller::effect_input in;
    in.spec = &plugin_->declared().controllers.front();
    in.key = {"shop", "one"};
    in.primary = animal("one");
    in.what = {name, R"({"n":1})"};
    in.observation = std::make_shared<const std::string>(R"({"seen":[]})");
    in.time_left = std::chrono::seconds(20);
    in.log = input("one").log;
    return in;
  }
  controller::effect_output effect(const controller::effect_input& input) {
    const log_scope said(input.log);  // as the lane does it
    return plugin_->reconciler_for("zoo").effect(input);
  }
  controller::effect_output effect(const std::string& name) { return effect(effect_input(name)); }
  plugin::loaded_plugin& plugin() { return *plugin_; }
  [[nodiscard]] bool is_there() const { return plugin_ != nullptr; }

 private:
  folder here_;
  std::unique_ptr<plugin::loaded_plugin> plugin_;
};

}  // namespace oarlock::abi
