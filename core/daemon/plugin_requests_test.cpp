// Requests of pods on their way through the plugins of a daemon.
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "core/controller/controller_world_test.hpp"
#include "core/controller/notes.hpp"
#include "core/daemon/plugin_set.hpp"

namespace oarlock::daemon {
namespace {

using namespace std::chrono_literals;
using controller::testing::widget_json;
using controller::testing::widgets;

// Leaves the body of a request as a note; says how many are in it, and holds them while told to.
class listening_plugin final : public plugin::loaded_plugin {
 public:
  struct shared {
    std::atomic<bool> holds{false};
    std::atomic<int> in_it{0};
    std::atomic<int> plans_with_note{0};
  };
  listening_plugin(shared& s, std::string version) : version_(std::move(version)), shared_(s) {
    controller::controller_spec spec;
    spec.plugin = spec.name = declared_.name = "listening";
    spec.primary = widgets;
    declared_.controllers = {std::move(spec)};
    plan_.run = [this](const controller::plan_input& input) {
      if (!input.notes.empty() && input.notes.front()->json == "7") ++shared_.plans_with_note;
      return controller::plan_output{};
    };
  }
  [[nodiscard]] const plugin::manifest& declared() const override { return declared_; }
  [[nodiscard]] const std::string& fingerprint() const override { return version_; }
  [[nodiscard]] controller::reconciler& reconciler_for(const std::string&) override {
    return plan_;
  }
  [[nodiscard]] plugin::inbound_answer inbound(const plugin::inbound_request& request) override {
    ++shared_.in_it;
    while (shared_.holds)
      std::this_thread::yield();
    plugin::inbound_answer out;
    out.notes = {{"listening", "said", request.body}};
    return out;
  }
  [[nodiscard]] result<> start() override { return {}; }
  void drain() override {}
  void stop() override {}

 private:
  const std::string version_;
  plugin::manifest declared_;
  controller::testing::planned plan_;
  shared& shared_;
};

class plugin_requests : public controller::testing::controller_world {
 protected:
  void start(bool leads = true) {
    api.put(widgets, widget_json("one"));
    o.plugins = {"listening"};
    set.load(o, files());
    const kube::client::parts access{loop.loop(),  &api.transport, nullptr, &loop.clock,
                                     &loop.timers, metrics.get(),  nullptr};
    set.start_controllers(o, parts(), {access, nullptr, "host"});
    loop.run_ready();
    if (leads) set.lead();
    loop.advance(100ms);
  }
  plugin_set::loader files() {
    return [this](const std::filesystem::path&, const std::string&) {
      return result<std::unique_ptr<plugin::loaded_plugin>>(
          std::make_unique<listening_plugin>(seen, version));
    };
  }
  // Another version of it, as after a SIGHUP.
  void upgrade() {
    version = "2";
    plugin_set::reach to;
    to.on_loop = [](const std::function<void()>& work) { work(); };
    to.begin = [this](task<> work) {
      loop.await(std::move(work));
      std::promise<void> done;
      done.set_value();
      return done.get_future();
    };
    to.pause = [this] {
      loop.advance(1s);
      return true;
    };
    to.clock_source = &loop.clock;
    set.reload(o, files(), to);
  }
  void send(const std::string& plugin, const std::string& name) {
    plugin::inbound_request request;
    request.ns = "ns";
    request.name = name;
    request.body = "7";
    set.take_request(plugin, request, [this](const plugin::inbound_answer& answer) {
      statuses.push_back(answer.status);
    });
  }
  // The lanes are threads: the loop is run until they have answered.
  bool comes_true(const std::function<bool()>& done) {
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (!done() && std::chrono::steady_clock::now() < until) {
      loop.run_ready();
      std::this_thread::yield();
    }
    return done();
  }
  int status_of(const std::string& plugin, const std::string& name) {
    statuses.clear();
    send(plugin, name);
    comes_true([this] { return !statuses.empty(); });
    return statuses.empty() ? 0 : statuses.front();
  }
  void TearDown() override {
    seen.holds = false;
    for (auto* one : set.controllers())
      loop.await(one->drain());
    set.destroy_controllers();
    set.stop();
  }

  listening_plugin::shared seen;
  std::vector<int> statuses;
  options o;
  std::string version = "1";
  plugin_set set{*metrics, [this](const std::string&) { return version; }};
};

TEST_F(plugin_requests, reach_the_plugin_and_then_the_plan_of_their_object) {
  start();
  EXPECT_EQ(status_of("listening", "one"), 204);
  EXPECT_TRUE(comes_true([this] { return seen.plans_with_note > 0; }));
  EXPECT_EQ(status_of("listening", "nobody"), 404) << "there is no such object";
  EXPECT_EQ(status_of("other", "one"), 404) << "there is no such plugin";
  set.follow();
  EXPECT_EQ(status_of("listening", "one"), 503);
}

TEST_F(plugin_requests, are_for_the_leader) {
  start(false);
  EXPECT_EQ(status_of("listening", "one"), 503);
  EXPECT_EQ(seen.in_it, 0);
}

TEST_F(plugin_requests, beyond_sixteen_at_once_are_told_to_come_again) {
  start();
  seen.holds = true;
  for (int i = 0; i < 16; ++i)
    send("listening", "one");
  EXPECT_TRUE(statuses.empty());
  send("listening", "one");
  EXPECT_EQ(statuses, std::vector<int>{503});
  seen.holds = false;
  EXPECT_TRUE(comes_true([this] { return statuses.size() == 17; }));
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 204), 16);
  EXPECT_EQ(status_of("listening", "one"), 204);
}

TEST_F(plugin_requests, whose_turn_comes_too_late_do_not_reach_it) {
  start();
  seen.holds = true;
  for (int i = 0; i < 8; ++i)
    send("listening", "one");
  EXPECT_TRUE(comes_true([this] { return seen.in_it > 0; }));
  loop.advance(6s);
  seen.holds = false;
  EXPECT_TRUE(comes_true([this] { return statuses.size() == 8; }));
  EXPECT_GT(std::count(statuses.begin(), statuses.end(), 503), 0);
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 204), seen.in_it);
}

TEST_F(plugin_requests, that_are_answered_after_the_lease_is_lost_leave_nothing) {
  start();
  seen.holds = true;
  send("listening", "one");
  EXPECT_TRUE(comes_true([this] { return seen.in_it > 0; }));
  set.follow();
  seen.holds = false;
  EXPECT_TRUE(comes_true([this] { return statuses.size() == 1; }));
  EXPECT_EQ(statuses, std::vector<int>{503});
  set.lead();
  loop.advance(100ms);
  EXPECT_EQ(seen.plans_with_note, 0);
}

TEST_F(plugin_requests, that_come_while_the_daemon_stops_are_for_the_next_leader) {
  start();
  seen.holds = true;
  send("listening", "one");
  EXPECT_TRUE(comes_true([this] { return seen.in_it > 0; }));
  for (auto* one : set.controllers())
    loop.await(one->drain());
  set.destroy_controllers();
  send("listening", "one");
  EXPECT_EQ(statuses, std::vector<int>{503});
  seen.holds = false;
  EXPECT_TRUE(comes_true([this] { return statuses.size() == 2; }));
  EXPECT_EQ(statuses, (std::vector<int>{503, 503}));
  EXPECT_EQ(seen.in_it, 1);
}

TEST_F(plugin_requests, that_do_not_return_hold_up_no_new_version) {
  start();
  seen.holds = true;
  send("listening", "one");
  EXPECT_TRUE(comes_true([this] { return seen.in_it > 0; }));
  upgrade();
  EXPECT_TRUE(statuses.empty());
  seen.holds = false;
  EXPECT_TRUE(comes_true([this] { return statuses.size() == 1; }));
  EXPECT_EQ(status_of("listening", "one"), 204);
}

}  // namespace
}  // namespace oarlock::daemon
