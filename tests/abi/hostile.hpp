#pragma once
// The hostile plugin of the zoo, started, and what is asked of it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <string>

#include "core/controller/reconciler.hpp"
#include "tests/abi/zoo.hpp"

namespace oarlock::abi {

/// A started hostile plugin.
class hostile {
 public:
  explicit hostile(home in = home::child, const plugin::child_settings& settings = zoo_settings(),
                   const std::string& manifest = zoo_manifest()) {
    write_whole(here_.path() / "plugin.yaml", manifest);
    write_whole(here_.path() / "libzoo.so", read_whole(zoo_file("hostile")));
    write_whole(token(), "secret");
    ::chmod(token().c_str(), 0600);
    auto loaded = load_from(here_.path(), in, "{\"token\":\"" + token().string() + "\"}", settings);
    EXPECT_TRUE(loaded) << loaded.error().message;
    plugin_ = std::move(*loaded);
    const auto started = plugin_->start();
    EXPECT_TRUE(started) << started.error().message;
  }

  controller::plan_output plan(const std::string& name, std::int64_t generation = 1) {
    cache::object_meta meta;
    meta.key = {"shop", name};
    meta.uid = name;
    meta.generation = generation;
    controller::plan_input input;
    input.spec = &plugin_->declared().controllers.front();
    input.key = meta.key;
    input.primary = std::make_shared<const cache::object>(meta, "{}");
    return plugin_->reconciler_for("zoo").plan(input);
  }
  controller::effect_output effect(const std::string& name,
                                   std::chrono::milliseconds time_left = std::chrono::seconds(20),
                                   const kube::write_gate* gate = nullptr) {
    cache::object_meta meta;
    meta.key = {"shop", "one"};
    meta.uid = "one";
    meta.generation = acted_on;
    controller::effect_input input;
    input.spec = &plugin_->declared().controllers.front();
    input.key = meta.key;
    input.primary = std::make_shared<const cache::object>(meta, "{}");
    input.what.name = name;
    input.time_left = time_left;
    input.gate = gate;
    return plugin_->reconciler_for("zoo").effect(input);
  }
  plugin::loaded_plugin& plugin() { return *plugin_; }
  std::int64_t acted_on = 1;  // generation of the object of effect()
  fs::path token() { return here_.path() / "token"; }

 private:
  folder here_;
  std::unique_ptr<plugin::loaded_plugin> plugin_;
};

}  // namespace oarlock::abi
