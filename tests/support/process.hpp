#pragma once
// Child processes for tests that cross processes: started, watched, ended with a deadline.
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace oarlock::testing {

struct finished {
  int exit_code = -1;  ///< 128 + signal when a signal ended it; 124 past its deadline
  std::string out;
  std::string err;
};

/// Runs `argv` to its end, feeding `input`; kills it past `limit`. KUBECONFIG is never inherited.
finished run(const std::vector<std::string>& argv, const std::string& input = {},
             std::chrono::seconds limit = std::chrono::seconds(60));

/// A process in the background; killed when it goes out of scope.
class background {
 public:
  background(const std::vector<std::string>& argv, std::filesystem::path log,
             const std::map<std::string, std::string>& env = {});
  ~background();
  background(const background&) = delete;
  background& operator=(const background&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();
  void send(int signal) const;
  /// Its exit code as in finished, or nothing (-1) when it still runs at `limit`.
  int wait(std::chrono::milliseconds limit);
  /// What it has printed so far.
  [[nodiscard]] std::string log() const;

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
  std::filesystem::path log_;
};

/// Asks `done` every 20 ms until it is true or `limit` has passed. True when it was.
bool eventually(const std::function<bool()>& done, std::chrono::milliseconds limit);

/// A fresh directory under the system's temporary one, removed at the end.
class scratch_dir {
 public:
  scratch_dir();
  ~scratch_dir();
  scratch_dir(const scratch_dir&) = delete;
  scratch_dir& operator=(const scratch_dir&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace oarlock::testing
