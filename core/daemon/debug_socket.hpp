#pragma once
// A Unix socket that answers each GET with one dump: `oarlock debug dump`, or curl --unix-socket.
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "core/base/task.hpp"

namespace oarlock::daemon {

/// One connection is served at a time, for at most five seconds; a few others wait for their turn.
/// Thread: its loop.
class debug_socket {
 public:
  using source = std::function<task<std::string>()>;
  debug_socket(executor loop, std::filesystem::path path, source dump);
  ~debug_socket();
  debug_socket(const debug_socket&) = delete;
  debug_socket& operator=(const debug_socket&) = delete;

  /// Binds with mode 0600 and begins to accept. A socket that an earlier process left behind is
  /// replaced; a file of another kind, or a socket that somebody listens on, is an error.
  [[nodiscard]] result<> start();
  /// Closes everything and removes the file. Idempotent.
  void stop();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::daemon
