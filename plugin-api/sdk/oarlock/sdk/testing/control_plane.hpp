#pragma once
// A real Kubernetes control plane for tests of a plugin: etcd, API server and controller manager on
// loopback, started in seconds by `devcluster` of the Oarlock source tree. No root, no pods.
//
//   if (!control_plane::tool()) GTEST_SKIP() << "no devcluster";
//   control_plane cluster;
//   cluster.must({"apply", "-f", "crds/"});
//   background_command run({"oarlock", "run", "build/libmyapp.so", "--kubeconfig",
//                           cluster.kubeconfig()}, cluster.folder() / "log");
//   cluster.must({"apply", "-f", "samples/"});
//   cluster.must({"wait", "--for=create", "deployment/myapp-sample", "--timeout=60s"});
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace oarlock::sdk::testing {

struct command_result {
  int exit_code = -1;  ///< 128 + signal when a signal ended it; 124 past its deadline
  std::string output;  ///< standard output and error
};

namespace detail {

inline std::string text_of_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return std::move(all).str();
}

// Which cluster a command means is said by its arguments, never by who runs the test.
inline std::vector<std::string> environment_without_kubeconfig() {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "KUBECONFIG=", 11) != 0) all.emplace_back(*entry);
  }
  return all;
}

inline std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (auto& text : texts)
    all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

inline pid_t spawn(std::vector<std::string> argv, const std::filesystem::path& in,
                   const std::filesystem::path& out) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  auto env = environment_without_kubeconfig();
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, argv[0].c_str(), &files, nullptr, pointers_to(argv).data(),
                                  pointers_to(env).data());
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) throw std::runtime_error("start " + argv[0] + ": " + std::strerror(failed));
  return pid;
}

// The exit code; nothing when it still runs at the limit.
inline std::optional<int> wait_for_exit(pid_t pid, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class scratch_folder {
 public:
  scratch_folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "oarlock-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
    path_ = pattern;
  }
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace detail

/// Runs a program to its end and feeds it `input`; kills it past `limit`.
[[nodiscard]] inline command_result run_command(
    const std::vector<std::string>& argv, const std::string& input = {},
    std::chrono::seconds limit = std::chrono::seconds(90)) {
  const detail::scratch_folder folder;
  std::ofstream(folder.path() / "in", std::ios::binary) << input;
  const pid_t pid = detail::spawn(argv, folder.path() / "in", folder.path() / "out");
  auto code = detail::wait_for_exit(pid, limit);
  if (!code) {
    ::kill(pid, SIGKILL);
    (void)detail::wait_for_exit(pid, std::chrono::seconds(10));
    code = 124;
  }
  return {*code, detail::text_of_file(folder.path() / "out")};
}

/// A program that runs until it is stopped, at the latest when this ends.
class background_command {
 public:
  background_command(const std::vector<std::string>& argv, std::filesystem::path log)
      : log_(std::move(log)), pid_(detail::spawn(argv, "/dev/null", log_)) {}
  ~background_command() { (void)stop(); }
  background_command(const background_command&) = delete;
  background_command& operator=(const background_command&) = delete;

  /// What it has printed so far.
  [[nodiscard]] std::string log() const { return detail::text_of_file(log_); }
  /// SIGTERM, and SIGKILL after a minute. Its exit code.
  [[nodiscard]] int stop() {
    if (pid_ < 0) return exit_code_;
    ::kill(pid_, SIGTERM);
    auto code = detail::wait_for_exit(pid_, std::chrono::seconds(60));
    if (!code) {
      ::kill(pid_, SIGKILL);
      code = detail::wait_for_exit(pid_, std::chrono::seconds(10));
    }
    pid_ = -1;
    return exit_code_ = code.value_or(-1);
  }

 private:
  std::filesystem::path log_;
  pid_t pid_;
  int exit_code_ = -1;
};

/// A cluster of the test's own; gone when this ends. Thread: one.
class control_plane {
 public:
  /// devcluster: OARLOCK_DEVCLUSTER, else what PATH has; nothing where neither is there.
  [[nodiscard]] static std::optional<std::string> tool() {
    if (const char* set = std::getenv("OARLOCK_DEVCLUSTER"); set != nullptr && *set != '\0') {
      return set;
    }
    const char* path = std::getenv("PATH");
    std::istringstream folders(path != nullptr ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');) {
      const std::string file = folder + "/devcluster";
      if (::access(file.c_str(), X_OK) == 0) return file;
    }
    return std::nullopt;
  }

  /// Throws when there is no tool or the cluster does not start.
  control_plane() {
    const auto found = tool();
    if (!found) throw std::runtime_error("expected devcluster in PATH or in OARLOCK_DEVCLUSTER");
    tool_ = *found;
    const auto up =
        run_command({tool_, "up", "--dir", folder() / "cluster", "--level", "control-plane",
                     "--with", "controller-manager", "--kubeconfig", kubeconfig()},
                    {}, std::chrono::seconds(180));
    if (up.exit_code != 0) throw std::runtime_error("devcluster up: " + up.output);
  }
  ~control_plane() {
    try {
      (void)run_command({tool_, "down", "--dir", folder() / "cluster", "--purge"});
    } catch (...) {
      // The processes end with the supervisor; there is nobody to tell.
    }
  }
  control_plane(const control_plane&) = delete;
  control_plane& operator=(const control_plane&) = delete;

  /// For the test's own files, too.
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  /// A file with the administrator's rights.
  [[nodiscard]] std::string kubeconfig() const { return folder() / "kubeconfig"; }

  [[nodiscard]] command_result kubectl(const std::vector<std::string>& args,
                                       const std::string& input = {}) const {
    std::vector<std::string> argv{tool_, "kubectl", "--kubeconfig", kubeconfig()};
    argv.insert(argv.end(), args.begin(), args.end());
    return run_command(argv, input);
  }
  /// kubectl that has to work; what it printed.
  std::string must(const std::vector<std::string>& args, const std::string& input = {}) const {
    const auto done = kubectl(args, input);
    if (done.exit_code == 0) return done.output;
    std::string line = "kubectl";
    for (const auto& word : args)
      line += " " + word;
    throw std::runtime_error(line + ": exit " + std::to_string(done.exit_code) + "\n" +
                             done.output);
  }

 private:
  detail::scratch_folder folder_;
  std::string tool_;
};

}  // namespace oarlock::sdk::testing
