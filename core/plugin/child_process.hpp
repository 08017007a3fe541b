#pragma once
// One run of oarlock-plugin-host, as the daemon holds it: the process and its sockets.
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/plugin/frame_io.hpp"

namespace oarlock::plugin {

/// Killed and reaped on destruction. The child also ends when the thread that started it ends.
class child_process {
 public:
  /// Starts the program without environment, with nothing open but its channel and the files of
  /// memory `library` and, unless it is -1, `lease`.
  [[nodiscard]] static result<std::unique_ptr<child_process>> start(
      const std::filesystem::path& program, int library, int lease, std::uint32_t workers);
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int call_fd() const { return call_.get(); }
  [[nodiscard]] int notice_fd() const { return notice_.get(); }
  [[nodiscard]] int worker_fd(std::size_t index) const { return workers_[index].get(); }

  /// Thread: any, until reap().
  void kill() const;
  /// Has the child say where that worker is, and end; returns when it has, or after a moment.
  /// Thread: any, until reap().
  void ask_where(std::size_t worker) const;
  /// Waits for its end, which is near or is brought about. "SIGSEGV" or "exit code 3".
  std::string reap();

 private:
  child_process() = default;

  pid_t pid_ = -1;
  wire::descriptor call_;
  wire::descriptor notice_;
  std::vector<wire::descriptor> workers_;
};

struct child_usage {
  std::uint64_t private_bytes = 0;  ///< anonymous memory
  std::uint64_t threads = 0;
};
/// From /proc; nullopt when it is gone.
[[nodiscard]] std::optional<child_usage> usage_of(pid_t pid);

/// "SIGSEGV", or "signal 77".
[[nodiscard]] std::string signal_name(int signal);

}  // namespace oarlock::plugin
