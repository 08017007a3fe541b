#pragma once
// A controller, its cache and its client against small_api, all on one loop under a fake clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/log.hpp"
#include "core/controller/controller.hpp"
#include "core/controller/small_api_test.hpp"
#include "core/controller/test_objects.hpp"
#include "tests/support/fake_clock.hpp"

namespace oarlock::controller::testing {

using strings = std::vector<std::string>;

/// A plugin in a lambda. The lanes of a `daemon::plugin_set` may plan at the same time.
class planned final : public reconciler {
 public:
  using function = std::function<plan_output(const plan_input&)>;
  explicit planned(function f = {}) : run(std::move(f)) {}
  plan_output plan(const plan_input& input) override {
    ++plans;
    return run ? run(input) : plan_output{};
  }
  effect_output effect(const effect_input& input) override {
    return act ? act(input) : reconciler::effect(input);
  }
  function run;
  std::function<effect_output(const effect_input&)> act;
  std::atomic<int> plans = 0;
};

inline std::string widget_json(const std::string& name = "w", const std::string& more = "",
                               const std::string& meta = "") {
  return R"({"metadata":{"namespace":"ns","name":")" + name + R"(","uid":"u-)" + name +
         R"(","generation":1)" + (meta.empty() ? "" : "," + meta) + "}" +
         (more.empty() ? "" : "," + more) + "}";
}

/// An intent for a Deployment of that name with that many replicas.
inline intent deployment(const std::string& name, int replicas = 1, std::uint32_t group = 0) {
  return {group, R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":")" + name +
                     R"("},"spec":{"replicas":)" + std::to_string(replicas) + "}}"};
}

class controller_world : public ::testing::Test {
 protected:
  explicit controller_world(controller_spec s = widget_spec()) : spec(std::move(s)) {
    log_configure(log_level::error, log_format::text);
  }
  ~controller_world() override {
    if (subject) loop.await(subject->drain());
    subject.reset();
    loop.await(cache.stop());
    loop.run_ready();
    log_configure(log_level::info, log_format::text);
  }
  [[nodiscard]] controller::parts parts() {
    return {loop.loop(), loop.loop(), &client,      &cache,        &events,
            &plan,       &loop.clock, &loop.timers, metrics.get(), &ids};
  }
  /// Starts the controller as the leader and lets it settle.
  void lead() {
    subject = std::make_unique<controller>(spec, parts());
    subject->start();
    loop.run_ready();
    subject->lead();
    settle();
  }
  void settle(duration how_long = std::chrono::seconds(1)) { loop.advance(how_long); }
  /// The value of a metric whose labels contain `label`; -1 when there is none.
  [[nodiscard]] double metric(const std::string& name, const std::string& label = "") {
    std::istringstream lines(metrics->serialize());
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind(name + "{", 0) != 0 || line.find(label) == std::string::npos) continue;
      return std::stod(line.substr(line.rfind(' ') + 1));
    }
    return -1;
  }
  /// The reason of a condition of widget ns/`name`.
  [[nodiscard]] std::string condition(const std::string& type, const std::string& field = "reason",
                                      const std::string& name = "w") const {
    for (int i = 0; i < 10; ++i) {
      const auto at = "/status/conditions/" + std::to_string(i);
      if (api.at(widgets, "ns", name, at + "/type") == type) {
        return api.at(widgets, "ns", name, at + "/" + field);
      }
    }
    return {};
  }

  controller_spec spec;
  test::test_loop loop;
  small_api api{loop, {widgets, deployments, services, secrets, {"", "v1", "Pod", "pods", true}}};
  test::fixed_random random{0};
  test::seeded_random ids{1};
  std::unique_ptr<metric_registry> metrics = make_prometheus_registry();
  kube::client client{
      {loop.loop(), &api.transport, nullptr, &loop.clock, &loop.timers, metrics.get(), nullptr}};
  cache::informer_cache cache{
      {loop.loop(), &client, &loop.clock, &loop.timers, &random, metrics.get(), duration::zero()}};
  event_recorder events{{loop.loop(), &client, &loop.clock, &loop.timers, metrics.get(), "test"}};
  planned plan;
  std::unique_ptr<controller> subject;
};

}  // namespace oarlock::controller::testing
