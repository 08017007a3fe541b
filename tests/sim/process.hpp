#pragma once
// One oarlockd below `daemon`, wired as core/daemon/daemon.cpp wires it, on virtual time.
#include <memory>
#include <string>

#include "core/cache/informer_cache.hpp"
#include "core/controller/controller.hpp"
#include "core/election/elector.hpp"
#include "core/plugin/plugin_host.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/outside.hpp"

namespace oarlock::sim {

class process {
 public:
  /// What the process does outside of the cluster, by whom; `check` is told of it just before.
  struct world {
    outside* database;
    std::function<void(const process&, const std::string& what)> check;
    std::function<void(const process&)> after_effect;
  };
  process(test::timeline& time, network& net, plugin::loaded_plugin& plugin, std::string identity,
          std::uint64_t seed, world around);
  /// After end().
  ~process();
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  /// It dies now: what it sent may still arrive, nothing else leaves it. The rest of its code is
  /// run to an end in a world of its own, so that a coroutine which never ends shows. Returns what
  /// is wrong, or nothing.
  [[nodiscard]] std::string crash();
  /// SIGTERM: drains, sends its events, gives the lease up; then it is over.
  void stop_gracefully();
  [[nodiscard]] bool stopped() const { return stopped_; }

  void suspend(bool on);
  [[nodiscard]] bool suspended() const { return suspended_; }
  void move_wall(duration by) { loop_.clock.move_wall(by); }

  [[nodiscard]] const std::string& identity() const { return identity_; }
  [[nodiscard]] bool leading() const { return elector_->leading(); }
  /// What its caches hold, as the server sees it: empty, or the first difference.
  [[nodiscard]] std::string cache_difference();

 private:
  // The plugin, and effects beside what it plans.
  class acting final : public controller::reconciler {
   public:
    acting(controller::reconciler& inner, const process& self) : inner_(inner), self_(self) {}
    [[nodiscard]] controller::plan_output plan(const controller::plan_input& input) override;
    [[nodiscard]] controller::effect_output effect(const controller::effect_input& input) override;

   private:
    controller::reconciler& inner_;
    const process& self_;
  };
  static task<> shut_down(process* self, bool with_release);

  test::timeline& time_;
  network& net_;
  std::string identity_;
  test::test_loop loop_;
  test::scripted_transport wire_{loop_};
  test::seeded_random random_;
  test::seeded_random ids_{0};  // only in logs: no part of a schedule
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  election::write_window window_{loop_.clock};
  kube::client stream_client_;
  kube::client probe_client_;
  std::unique_ptr<cache::informer_cache> cache_;
  std::unique_ptr<controller::event_recorder> events_;
  world world_;
  std::unique_ptr<acting> acting_;
  std::unique_ptr<controller::controller> controller_;
  std::unique_ptr<election::elector> elector_;
  std::stop_source election_stop_;
  bool election_over_ = false;
  bool dead_ = false;
  bool suspended_ = false;
  bool stopping_ = false;
  bool stopped_ = false;
};

}  // namespace oarlock::sim
