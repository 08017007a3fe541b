#pragma once
// A small cluster for whole runs: it carries out what plans ask for, lets Jobs run by a script, and
// can be stopped after any write. Time passes by ticks of a second.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "oarlock/sdk/testing/cases.hpp"
#include "oarlock/sdk/testing/expectation.hpp"

namespace ml::testing {

namespace json = oarlock::sdk::json;
namespace kit = oarlock::sdk::testing;

/// How one attempt of a unit ends.
struct job_end {
  std::int32_t exit_code = 0;
  std::string reason = {};   ///< of the container: "OOMKilled"
  std::string message = {};  ///< what the pod says; empty with exit 0: the script's usual result
  bool pod_vanishes = false;
};

class world {
 public:
  /// `script`: by name of the unit and attempt.
  using script = std::function<job_end(const std::string& unit, int attempt)>;

  /// With the Model that a_model() is.
  world(const oarlock_plugin& plugin, json::value pipeline, script how);
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  /// One tick: a plan, its writes, and one step of the cluster. Ends early, as a process that dies,
  /// when `writes_left` is used up.
  void tick();
  /// Until the phase is final; false: not within `ticks`.
  bool run(int ticks = 200);
  [[nodiscard]] bool is_final() const;

  [[nodiscard]] std::string phase() const { return status_text("phase"); }
  [[nodiscard]] std::string status_text(std::string_view field) const;
  [[nodiscard]] const json::value& status() const { return status_; }
  [[nodiscard]] json::value* object(const std::string& resource, const std::string& name);
  [[nodiscard]] std::vector<std::string> names(const std::string& resource) const;
  void put(const std::string& resource, json::value object);
  void erase(const std::string& resource, const std::string& name);
  /// Changes the pipeline's spec, as a user does.
  void edit(const json::value& patch);
  /// What matters at the end: phase, outcome of each unit, the Model's spec, without times.
  [[nodiscard]] std::string end_state();

  int writes = 0;        ///< that have happened
  int writes_left = -1;  ///< until the process dies, once; below 0: it does not
  bool was_killed = false;
  bool model_answers = true;  ///< a version that gets the alias becomes served
  std::int64_t others_running = 0, others_ahead = 0;
  std::map<std::string, int> created;  ///< how often each Job was created
  std::vector<std::string> events;     ///< reasons

 private:
  using key = std::pair<std::string, std::string>;
  bool write();
  void carry_out(const kit::recorded& answer);
  bool create(const std::string& text, std::set<key>& named);
  bool patch(const kit::recorded_step& step, std::set<key>& named);
  bool prune(const std::set<key>& named);
  void write_status(const kit::recorded& answer);
  void run_jobs();
  void start_pod(const json::value& job, const std::string& name);
  void end_job(json::value& job, const std::string& name);
  void serve_model();

  kit::bench_host host_;
  json::value pipeline_, status_ = json::object({});
  script script_;
  std::map<key, json::value> objects_;
  std::int64_t now_ms_ = 1'772'366'400'000;  // 2026-03-01T12:00:00Z
  int uids_ = 0;
};

[[nodiscard]] json::value parsed(const std::string& text);
/// A pipeline with these fields of its spec beside what it must have.
[[nodiscard]] json::value a_pipeline(const json::value& spec_patch);
[[nodiscard]] json::value a_model();
/// The usual results of the trainer.
[[nodiscard]] job_end all_goes_well(const std::string& unit, int attempt);

}  // namespace ml::testing
