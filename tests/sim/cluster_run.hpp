#pragma once
// A simulated cluster with oarlockd processes in it, and what must hold at every write and at rest.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/process.hpp"

namespace oarlock::sim {

/// What MyApps are wished for, and which Deployments are somebody else's.
struct wishes {
  struct app {
    std::int64_t replicas = 1;
    std::string image;
    auto operator<=>(const app&) const = default;
  };
  std::map<std::string, app> apps;
  std::set<std::string> strangers;
};

class cluster_run {
 public:
  cluster_run(plugin::loaded_plugin& plugin, std::uint64_t seed);
  ~cluster_run();
  cluster_run(const cluster_run&) = delete;
  cluster_run& operator=(const cluster_run&) = delete;

  test::timeline time;
  network net;
  outside database;
  std::vector<std::string> problems;  ///< what must not be, as it was found

  // --- processes, by number: each has a life after each crash ---
  void start(std::size_t number);
  void crash(std::size_t number);
  /// To be called by on_write: it dies once this write is stored.
  void crash_soon(std::size_t number) { dying_.insert(number); }
  [[nodiscard]] process* at(std::size_t number);
  [[nodiscard]] std::size_t size() const { return processes_.size(); }

  // --- people ---
  void create_app(const std::string& name, const wishes::app& wish);
  void patch_app(const std::string& name, const std::string& body);
  void delete_app(const std::string& name);
  void create_stranger(const std::string& name);
  void patch_deployment(const std::string& name, const std::string& body);
  void delete_deployment(const std::string& name);

  /// Lets time pass; carries out crash_soon() on the way.
  void advance(duration how_long);
  /// As the server has it now.
  [[nodiscard]] wishes wished() const;
  /// Advances until every MyApp is settled, at most `limit`; what is missing, or nothing.
  [[nodiscard]] std::string converge(duration limit);
  /// Every MyApp and Deployment without what may differ between two runs.
  [[nodiscard]] std::string summary();
  /// Ends all processes; more problems may come of it.
  void end();

  /// Writes by processes: "apply deployments", "apply myapps/status", ...; leases are left out.
  struct counts {
    std::map<std::string, int> effective;
    int all = 0;
  };
  counts written;
  /// Called after each write of a process, with its number; leases and events are left out.
  std::function<void(std::size_t number)> after_write = [](std::size_t) {};
  /// Called after each effect of a process.
  std::function<void(std::size_t number)> after_effect = [](std::size_t) {};

 private:
  void check_write(const write_record& w, steady_time sent);
  void check_form(const write_record& w);
  void check_effect(const std::string& by, const std::string& what);
  void note_holder();
  [[nodiscard]] std::string unsettled(const std::string& name, const js::object& app) const;
  [[nodiscard]] std::string unsettled() const;
  [[nodiscard]] bool is_process(const std::string& who) const;

  plugin::loaded_plugin& plugin_;
  std::uint64_t seed_;
  std::vector<std::unique_ptr<process>> processes_;
  std::vector<int> lives_;
  std::set<std::size_t> dying_;
  std::string holder_;
  steady_time held_since_;
};

/// What a run without faults makes of the same wishes.
[[nodiscard]] std::string clean_summary(plugin::loaded_plugin& plugin, const wishes& w);
/// build/<preset>/plugins/myapp, loaded once for the program.
[[nodiscard]] plugin::loaded_plugin& myapp_plugin();

}  // namespace oarlock::sim
