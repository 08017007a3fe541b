#pragma once
// What a plugin in the core must leave as it is, because the whole process shares it.
#include <csignal>
#include <string>
#include <vector>

namespace oarlock::plugin {

/// Working directory, file mode mask, locale, environment and signal handlers at one moment.
class process_state {
 public:
  /// As it is now.
  process_state();

  /// Puts back what has changed since, and says what that was: "the working directory, SIGTERM".
  /// The environment stays changed: other threads may be reading it. Empty: nothing has changed.
  [[nodiscard]] std::string put_back() const;

 private:
  std::string folder_;
  unsigned mask_ = 0;
  std::string locale_;
  std::vector<std::string> environment_;
  std::vector<struct sigaction> handlers_;  // of signal i + 1
};

}  // namespace oarlock::plugin
