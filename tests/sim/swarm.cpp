#include "tests/sim/swarm.hpp"

#include <algorithm>

namespace oarlock::sim {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t process_count = 2;
// Backoff goes up to 1000 s.
constexpr duration converge_limit = 40min;
constexpr duration silence = 5min;
constexpr std::uint64_t requests_max = 20'000;

class swarm {
 public:
  swarm(plugin::loaded_plugin& plugin, std::uint64_t seed, std::vector<std::string>* lines)
      : plugin_(plugin), random_(seed ^ 0x5eedU), cluster_(plugin, seed) {
    report_.seed = seed;
    cluster_.net.trace_lines = lines;
  }

  swarm_report run() {
    choose_faults();
    for (std::size_t i = 0; i < process_count; ++i)
      cluster_.start(i);
    const auto end = cluster_.time.now() + 60s + up_to(60s);
    while (cluster_.time.now() < end && cluster_.net.requests() < requests_max) {
      cluster_.advance(up_to(3s));
      heal();
      people();
      machines();
    }
    quiet();
    if (cluster_.net.requests() > requests_max) problem("a storm of requests");
    cluster_.end();
    report_.trace = cluster_.net.trace();
    report_.requests = cluster_.net.requests();
    for (auto& p : cluster_.problems)
      report_.problems.push_back(std::move(p));
    return std::move(report_);
  }

 private:
  duration up_to(duration most) {
    return duration(static_cast<duration::rep>(static_cast<double>(most.count()) * random_.unit()));
  }
  // Each run has some faults and not others: what is rare in a mix of everything is common here.
  double some(double most) { return random_.chance(0.5) ? most * random_.unit() : 0; }

  void choose_faults() {
    auto& f = cluster_.net.faults;
    f.not_sent = some(0.1);
    f.lost_request = some(0.1);
    f.lost_reply = some(0.15);
    f.refused = some(0.15);
    f.slow = some(0.1);
    f.watch_cut = some(0.1);
    f.watch_gone = some(0.05);
    if (random_.chance(0.6)) f.cache_lag = up_to(10s);
    crash_ = some(0.1);
    crash_at_write_ = some(0.2);
    suspend_ = some(0.08);
    wall_ = some(0.1);
    compact_ = some(0.1);
    server_restart_ = some(0.05);
    cluster_.after_write = [this](std::size_t number) {
      if (!quiet_ && random_.chance(crash_at_write_)) cluster_.crash_soon(number);
    };
    cluster_.after_effect = cluster_.after_write;
    const double lost = some(0.2);
    const double refused = some(0.2);
    cluster_.database.lose_answer = [this, lost] { return !quiet_ && random_.chance(lost); };
    cluster_.database.refuse = [this, refused] { return !quiet_ && random_.chance(refused); };
  }

  // --- processes and servers ---

  void machines() {
    auto& server = cluster_.net.server();
    if (random_.chance(compact_)) server.compact();
    if (random_.chance(server_restart_)) cluster_.net.cut_watches();
    for (std::size_t i = 0; i < process_count; ++i) {
      auto* p = cluster_.at(i);
      if (p == nullptr || p->suspended()) continue;
      if (random_.chance(crash_)) {
        random_.chance(0.3) ? p->stop_gracefully() : cluster_.crash(i);
      } else if (random_.chance(suspend_)) {
        cluster_.net.note("suspend " + p->identity());
        p->suspend(true);
      } else if (random_.chance(wall_)) {
        const auto by = random_.chance(0.5) ? up_to(24h * 3650) : -up_to(24h * 3650);
        p->move_wall(by);
      }
    }
  }

  // Crashed ones start again, stopped ones go on: sooner or later.
  void heal() {
    for (std::size_t i = 0; i < process_count; ++i) {
      auto* p = cluster_.at(i);
      if (p != nullptr && p->stopped()) {
        cluster_.crash(i);  // *p is gone; it starts again another time
        continue;
      }
      if (p == nullptr && random_.chance(0.4)) cluster_.start(i);
      if (p != nullptr && p->suspended() && random_.chance(0.15)) p->suspend(false);
    }
  }

  // --- people ---

  std::string some_name() { return std::string(1, static_cast<char>('a' + random_.below(4))); }
  wishes::app some_wish() {
    const auto version = std::to_string(random_.below(3));
    return {static_cast<std::int64_t>(random_.below(4)), "app:" + version};
  }

  void people() {
    const auto name = some_name();
    const auto wish = some_wish();
    const auto replicas = std::to_string(wish.replicas);
    switch (random_.below(14)) {
      case 0:
      case 1:
      case 2:
        return cluster_.create_app(name, wish);
      case 3:
        return cluster_.patch_app(name, R"({"spec":{"replicas":)" + replicas + "}}");
      case 4:
        return cluster_.patch_app(name, R"({"spec":{"image":")" + wish.image + "\"}}");
      case 5:
        return cluster_.delete_app(name);
      case 6:  // the same name, another object
        cluster_.delete_app(name);
        return cluster_.create_app(name, wish);
      case 7:
        return cluster_.patch_app(name,
                                  R"({"metadata":{"annotations":{"oarlock.dev/paused":"true"}}})");
      case 8:
        return cluster_.patch_app(name,
                                  R"({"metadata":{"annotations":{"oarlock.dev/paused":null}}})");
      case 9:
        return cluster_.delete_deployment(name);
      case 10:
        return cluster_.patch_deployment(name, R"({"spec":{"replicas":)" + replicas + "}}");
      case 11:
        return cluster_.patch_deployment(
            name, R"({"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}})");
      case 12:
        return cluster_.patch_deployment(
            name, R"({"metadata":{"annotations":{"oarlock.dev/applied":"edited"}}})");
      default:
        if (random_.chance(0.5)) race_for(name);
        return;
    }
  }

  // Somebody else makes a Deployment of that name; often just when a MyApp is about to, and with
  // nothing in it that an unforced apply would be refused for.
  void race_for(const std::string& name) {
    if (random_.chance(0.7)) {
      cluster_.create_app(name, {1, "app:1"});
      cluster_.patch_app(name, R"({"spec":{"replicas":1}})");
      cluster_.delete_deployment(name);
      cluster_.advance(up_to(10ms));
    }
    cluster_.create_stranger(name);
  }

  // --- the end ---

  void problem(std::string what) { report_.problems.push_back(std::move(what)); }

  void quiet() {
    quiet_ = true;
    cluster_.net.faults = {};
    cluster_.advance(up_to(5s));
    for (std::size_t i = 0; i < process_count; ++i) {
      auto* p = cluster_.at(i);
      if (p != nullptr && p->suspended()) p->suspend(false);
      if (p != nullptr && p->stopped()) cluster_.crash(i);
      if (cluster_.at(i) == nullptr) cluster_.start(i);
    }
    for (const auto* name : {"a", "b", "c", "d"}) {
      cluster_.patch_app(name, R"({"metadata":{"annotations":{"oarlock.dev/paused":null}}})");
    }
    // Until somebody leads again: a lease that nobody renews runs out.
    cluster_.advance(45s);
    if (const auto missing = cluster_.converge(converge_limit); !missing.empty()) {
      problem("not converged within 40 minutes: " + missing);
      compare_caches();
      return;
    }
    const auto wanted = clean_summary(plugin_, cluster_.wished());
    if (const auto found = cluster_.summary(); found != wanted) {
      problem("expected what a clean run makes:\n" + wanted + "found:\n" + found);
    }
    const auto before = cluster_.written.all;
    cluster_.advance(silence);
    if (const auto more = cluster_.written.all - before; more != 0) {
      problem(std::to_string(more) + " writes after it had converged");
    }
    compare_caches();
  }

  void compare_caches() {
    for (std::size_t i = 0; i < process_count; ++i) {
      auto* p = cluster_.at(i);
      if (p == nullptr) continue;  // it was on its way to a graceful end
      if (auto differs = p->cache_difference(); !differs.empty() && !p->stopped()) {
        problem(std::move(differs));
      }
    }
  }

  plugin::loaded_plugin& plugin_;
  test::seeded_random random_;
  cluster_run cluster_;
  swarm_report report_;
  bool quiet_ = false;
  double crash_ = 0, crash_at_write_ = 0, suspend_ = 0, wall_ = 0, compact_ = 0,
         server_restart_ = 0;
};

}  // namespace

swarm_report run_seed(plugin::loaded_plugin& plugin, std::uint64_t seed,
                      std::vector<std::string>* lines) {
  swarm one(plugin, seed, lines);
  return one.run();
}

}  // namespace oarlock::sim
