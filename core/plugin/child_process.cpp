#include "core/plugin/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "core/plugin/errors.hpp"
#include "core/plugin/sealed_file.hpp"

namespace oarlock::plugin {

namespace {

using wire::descriptor;

// How long a child whose channel has closed may take to be gone by itself.
constexpr int end_polls = 40;
constexpr int end_poll_milliseconds = 5;

error no_host(const std::string& what) {
  return {plugin_error::no_host, what + ": " + std::strerror(errno)};
}

// One end for the daemon, which keeps it, and one for the child.
struct channel {
  descriptor ours;
  descriptor theirs;
};

result<channel> make_channel(int type) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return no_host("expected a socket pair for a plugin's child, found none");
  }
  channel out{descriptor(ends[0]), descriptor(ends[1])};
  out.theirs.reset(::fcntl(ends[1], F_DUPFD_CLOEXEC, first_free_fd));
  if (out.theirs.get() < 0) return no_host("expected a descriptor for a plugin's child");
  return out;
}

// posix_spawn's lists, freed.
class spawn_plan {
 public:
  spawn_plan() {
    posix_spawn_file_actions_init(&files_);
    posix_spawnattr_init(&how_);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&how_, &all);
    posix_spawnattr_setsigmask(&how_, &none);
    posix_spawnattr_setflags(
        &how_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  ~spawn_plan() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&how_);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;

  void hand_over(int fd, int as) { posix_spawn_file_actions_adddup2(&files_, fd, as); }
  int run(const std::filesystem::path& program, pid_t* pid) {
    std::string name = program.filename().string();
    std::array<char*, 2> arguments = {name.data(), nullptr};
    std::array<char*, 1> environment = {nullptr};
    return ::posix_spawn(pid, program.c_str(), &files_, &how_, arguments.data(),
                         environment.data());
  }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t how_{};
};

}  // namespace

result<std::unique_ptr<child_process>> child_process::start(const std::filesystem::path& program,
                                                            int library, int lease,
                                                            std::uint32_t workers) {
  std::unique_ptr<child_process> made(new child_process);
  spawn_plan plan;
  std::vector<descriptor> theirs;  // closed here once the child has them
  const auto connect = [&](int type, int as) -> result<descriptor> {
    auto one = make_channel(type);
    if (!one) return one.error();
    plan.hand_over(one->theirs.get(), as);
    theirs.push_back(std::move(one->theirs));
    return std::move(one->ours);
  };
  auto call = connect(SOCK_STREAM, wire::call_fd);
  if (!call) return call.error();
  made->call_ = std::move(*call);
  plan.hand_over(library, wire::library_fd);
  auto notice = connect(SOCK_SEQPACKET, wire::notice_fd);
  if (!notice) return notice.error();
  made->notice_ = std::move(*notice);
  if (lease >= 0) plan.hand_over(lease, wire::lease_fd);
  for (std::uint32_t i = 0; i < workers; ++i) {
    auto worker = connect(SOCK_STREAM, wire::first_worker_fd + static_cast<int>(i));
    if (!worker) return worker.error();
    made->workers_.push_back(std::move(*worker));
  }
  const int failed = plan.run(program, &made->pid_);
  if (failed != 0) {
    made->pid_ = -1;
    errno = failed;
    return no_host("expected the program " + program.string() +
                   ", which is installed beside oarlockd, to start");
  }
  return made;
}

child_process::~child_process() {
  if (pid_ < 0) return;
  kill();
  (void)reap();
}

void child_process::kill() const {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

void child_process::ask_where(std::size_t worker) const {
  sigval index{};
  index.sival_int = static_cast<int>(worker);
  if (pid_ <= 0 || ::sigqueue(pid_, wire::where_signal, index) != 0) return;
  for (int i = 0; i < end_polls; ++i) {
    siginfo_t ended{};
    const int failed =
        ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT);
    if (failed != 0 || ended.si_pid != 0) return;
    ::poll(nullptr, 0, end_poll_milliseconds);
  }
}

std::string child_process::reap() {
  int status = 0;
  pid_t got = 0;
  for (int i = 0; got == 0 && i < end_polls; ++i) {
    got = ::waitpid(pid_, &status, WNOHANG);
    if (got == 0) ::poll(nullptr, 0, end_poll_milliseconds);
  }
  if (got == 0) {
    kill();
    got = ::waitpid(pid_, &status, 0);
  }
  pid_ = -1;
  if (got < 0) return "an end that was not seen";
  return WIFSIGNALED(status) ? signal_name(WTERMSIG(status))
                             : fmt::format("exit code {}", WEXITSTATUS(status));
}

std::optional<child_usage> usage_of(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  child_usage out;
  std::string word;
  bool found = false;
  while (status >> word) {
    if (word == "RssAnon:") {
      status >> out.private_bytes;
      out.private_bytes <<= 10U;  // kB
      found = true;
    } else if (word == "Threads:") {
      status >> out.threads;
    }
  }
  return found ? std::optional(out) : std::nullopt;
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : fmt::format("signal {}", signal);
}

}  // namespace oarlock::plugin
