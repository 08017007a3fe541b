#include "tests/support/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace oarlock::testing {

namespace {

using namespace std::chrono_literals;
using test_clock = std::chrono::steady_clock;

std::string slurp(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

std::vector<std::string> child_environment(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> env;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "KUBECONFIG=", 11) != 0) env.emplace_back(*entry);
  }
  for (const auto& [key, value] : extra)
    env.push_back(key + "=" + value);
  return env;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& s : strings)
    out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

pid_t start(std::vector<std::string> argv, const std::filesystem::path& in,
            const std::filesystem::path& out, const std::filesystem::path& err,
            const std::map<std::string, std::string>& extra) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (err == out) {
    posix_spawn_file_actions_adddup2(&files, 1, 2);
  } else {
    posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  }
  auto env = child_environment(extra);
  const auto argv_pointers = pointers(argv);
  const auto env_pointers = pointers(env);
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, argv[0].c_str(), &files, nullptr, argv_pointers.data(),
                                  env_pointers.data());
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) throw std::runtime_error("start " + argv[0] + ": " + std::strerror(failed));
  return pid;
}

int decode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

bool eventually(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto end = test_clock::now() + limit;
  while (!done()) {
    if (test_clock::now() > end) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

scratch_dir::scratch_dir() {
  auto pattern = (std::filesystem::temp_directory_path() / "oarlock-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
  path_ = pattern;
}

scratch_dir::~scratch_dir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

finished run(const std::vector<std::string>& argv, const std::string& input,
             std::chrono::seconds limit) {
  const scratch_dir dir;
  const auto in = dir.path() / "in";
  std::ofstream(in, std::ios::binary) << input;
  const pid_t pid = start(argv, in, dir.path() / "out", dir.path() / "err", {});
  int status = 0;
  const bool ended = eventually([&] { return waitpid(pid, &status, WNOHANG) == pid; }, limit);
  if (!ended) {
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
  }
  return {ended ? decode(status) : 124, slurp(dir.path() / "out"), slurp(dir.path() / "err")};
}

background::background(const std::vector<std::string>& argv, std::filesystem::path log,
                       const std::map<std::string, std::string>& env)
    : log_(std::move(log)) {
  pid_ = start(argv, "/dev/null", log_, log_, env);
}

background::~background() {
  if (!running()) return;
  send(SIGKILL);
  wait(10s);
}

bool background::running() {
  return wait(0ms) == -1;
}

void background::send(int signal) const {
  if (exit_code_ == -1) kill(pid_, signal);
}

int background::wait(std::chrono::milliseconds limit) {
  if (exit_code_ != -1) return exit_code_;
  int status = 0;
  if (eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; }, limit)) {
    exit_code_ = decode(status);
  }
  return exit_code_;
}

std::string background::log() const {
  return slurp(log_);
}

}  // namespace oarlock::testing
