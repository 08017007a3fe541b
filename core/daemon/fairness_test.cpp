// What one plugin may cost another: nothing but its fair share.
#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "core/controller/controller_world_test.hpp"
#include "core/daemon/plugin_set.hpp"

namespace oarlock::daemon {
namespace {

using namespace std::chrono_literals;
using controller::testing::services;
using controller::testing::widget_json;
using controller::testing::widgets;

// A plugin of one controller without owned kinds whose objects are Ready at once.
class ready_plugin final : public plugin::loaded_plugin {
 public:
  ready_plugin(std::string name, kube::resource primary) {
    controller::controller_spec spec;
    spec.plugin = spec.name = declared_.name = std::move(name);
    spec.primary = std::move(primary);
    declared_.controllers = {std::move(spec)};
    plan_.run = [](const controller::plan_input&) {
      controller::plan_output out;
      out.conditions = {{"Ready", controller::condition_status::yes, "Reconciled", ""}};
      return out;
    };
  }
  [[nodiscard]] const plugin::manifest& declared() const override { return declared_; }
  [[nodiscard]] const std::string& fingerprint() const override { return declared_.name; }
  [[nodiscard]] controller::reconciler& reconciler_for(const std::string&) override {
    return plan_;
  }
  [[nodiscard]] result<> start() override { return {}; }
  void drain() override {}
  void stop() override {}

 private:
  plugin::manifest declared_;
  controller::testing::planned plan_;
};

class fairness : public controller::testing::controller_world {
 protected:
  void start() {
    options o;
    o.plugins = {"busy", "other"};
    set.load(o, [](const std::filesystem::path& path, const std::string&) {
      const bool busy = path == "busy";
      return result<std::unique_ptr<plugin::loaded_plugin>>(
          std::make_unique<ready_plugin>(path.string(), busy ? widgets : services));
    });
    const kube::client::parts access{loop.loop(),  &api.transport, nullptr, &loop.clock,
                                     &loop.timers, metrics.get(),  nullptr};
    set.start_controllers(o, parts(), {access, nullptr, "host"});
    loop.run_ready();
    set.lead();
    loop.advance(100ms);
  }
  // The lanes are threads: the loop is run until they have answered. The clock stands still, so
  // that no request is past its deadline.
  bool comes_true(const std::function<bool()>& done) {
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (!done() && std::chrono::steady_clock::now() < until) {
      loop.run_ready();
      std::this_thread::yield();
    }
    return done();
  }
  // The flows of the requests whose path contains `part`; a GET is a request of the cache here.
  std::set<std::string> flows_of(bool writes, const std::string& part) const {
    std::set<std::string> flows;
    for (const auto& call : api.transport.calls()) {
      const bool fits = (call->request().method != "GET") == writes;
      if (fits && call->path().find(part) != std::string::npos) flows.insert(call->options().flow);
    }
    return flows;
  }
  std::size_t writes_to(const std::string& part) const {
    const auto& calls = api.transport.calls();
    return static_cast<std::size_t>(std::count_if(calls.begin(), calls.end(), [&](const auto& c) {
      return c->request().method != "GET" && c->path().find(part) != std::string::npos;
    }));
  }
  static task<> drain(controller::controller* one, bool* is_drained) {
    co_await one->drain();
    *is_drained = true;
  }
  void TearDown() override {
    for (auto* one : set.controllers()) {
      bool is_drained = false;
      spawn(loop.loop(), drain(one, &is_drained));
      EXPECT_TRUE(comes_true([&] {
        loop.advance(10ms);  // what was never answered is given up
        return is_drained;
      }));
    }
    set.destroy_controllers();
    set.stop();
  }

  plugin_set set{*metrics};
};

TEST_F(fairness, a_plugin_with_a_thousand_keys_and_slow_writes_costs_another_nothing) {
  for (int i = 0; i < 1000; ++i)
    api.put(widgets, widget_json("w" + std::to_string(i)));
  api.put(services, widget_json("one"));
  bool silent = true;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    return silent && call->path().find("/widgets/") != std::string::npos;  // never answered
  };
  start();
  EXPECT_TRUE(comes_true([&] {
    return api.at(services, "ns", "one", "/status/conditions/0/reason") == "Reconciled" &&
           writes_to("/widgets/") >= 16;
  }));
  EXPECT_EQ(writes_to("/widgets/"), 16U) << "in flight: as many as the controller has workers";
  // Whoever shares something below knows on whose behalf a request is.
  EXPECT_EQ(flows_of(true, "/widgets/"), std::set<std::string>{"busy"});
  EXPECT_EQ(flows_of(true, "/services/"), std::set<std::string>{"other"});
  EXPECT_EQ(flows_of(false, "/"), std::set<std::string>{""}) << "the cache works for all";
  silent = false;
}

}  // namespace
}  // namespace oarlock::daemon
