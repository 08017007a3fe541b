#pragma once
// One life of a plugin's child: loaded, started, watched until it ends, and who is to blame.
#include <optional>
#include <string>
#include <vector>

#include "core/base/call_place.hpp"
#include "core/plugin/child_answer.hpp"
#include "core/plugin/child_host.hpp"
#include "core/plugin/child_process.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/metric_frames.hpp"

namespace oarlock::plugin {

/// How a child ended.
struct child_death {
  std::string how;                    ///< "SIGSEGV at libzoo.so+0x1139, libzoo.so+0x1184"
  std::string reason;                 ///< for a metric: signal, exit, deadline, memory, protocol
  std::optional<std::size_t> worker;  ///< whose plan did it, if that is known
  bool from_outside = false;          ///< another process sent the signal: no plan is to blame
};

/// Owned by the supervising thread; kill_for() is for any.
class child_run {
 public:
  struct parts {
    const child_settings* settings = nullptr;
    const clock* clock_source = nullptr;
    const host_table* host = nullptr;
    int library = -1;
  };

  explicit child_run(parts p) : parts_(p) {}

  /// Starts the process and has it load and create the plugin.
  [[nodiscard]] result<> begin(wire::load_request request);
  /// A life-cycle call. Its error says what went wrong, or that the child ended.
  [[nodiscard]] result<> call(wire::frame what, plugin_error code, const std::string& name);
  /// Serves notices until there are none for `wait`, or `wake` is readable. False: it ended.
  [[nodiscard]] bool watch(int wake, duration wait);
  /// Ends what is left of it and says how it ended. Once.
  [[nodiscard]] child_death end();

  /// Ends the child because of what the plan on `worker` did. Thread: any. The first one counts.
  void kill_for(std::optional<std::size_t> worker, const std::string& how, const char* reason);

  [[nodiscard]] int worker_fd(std::size_t index) const { return process_->worker_fd(index); }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] const std::string& gaps() const { return gaps_; }

 private:
  [[nodiscard]] wire::deadline in(duration limit) const {
    return {parts_.clock_source, parts_.clock_source->now() + limit};
  }
  [[nodiscard]] result<wire::answer> exchange(wire::frame what, std::string& frame_text,
                                              const std::string& name);
  /// Reads the notices that are there, so many at most. False: the channel is closed.
  bool take_notices(std::size_t most);
  void note(std::string_view packet);
  void check_usage();
  /// As the child says; that it does not is counted.
  [[nodiscard]] std::string why(const wire::answer& failed) const;
  [[nodiscard]] std::string places(const wire::crash_record& record) const;
  [[nodiscard]] std::string crash_text(const wire::crash_record& record) const;

  parts parts_;
  std::unique_ptr<child_process> process_;
  std::string plugin_;
  std::string gaps_;
  code_range code_;  ///< of the library, in the child
  std::optional<wire::crash_record> crash_;
  std::optional<std::int32_t> exit_worker_;
  guarded<std::optional<child_death>> killed_;
  steady_time checked_{};
  wire::metric_replay metrics_;
  std::uint64_t records_ = 0;  ///< log records since `checked_`
  bool rests_ = false;         ///< more notices came than are taken at once
};

}  // namespace oarlock::plugin
