#include "core/cli/run/run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/cli/inspect.hpp"
#include "core/cli/run/log_line.hpp"
#include "core/cli/run/watched_files.hpp"
#include "core/plugin/manifest.hpp"

namespace oarlock::cli {

namespace fs = std::filesystem;

namespace {

constexpr int not_started = 1;
constexpr std::size_t line_bytes_max = 1U << 20U;

int fail(const std::string& why) {
  fmt::print(stderr, "oarlock: {}\n", why);
  return not_started;
}

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGCHLD})
    sigaddset(&set, s);
  return set;
}

// Beside this program; else whatever PATH has.
std::string daemon_program() {
  std::error_code failed;
  const auto self = fs::read_symlink("/proc/self/exe", failed);
  const auto beside = self.parent_path() / "oarlockd";
  return !failed && fs::exists(beside, failed) ? beside.string() : "oarlockd";
}

std::vector<std::string> daemon_arguments(const run_options& o) {
  // With the rights of who runs it, next to a leader that may be in the cluster, on no known port.
  std::vector<std::string> all{daemon_program(),
                               "--plugin=" + o.plugin.string(),
                               "--plugin-identity=daemon",
                               "--leader-elect=false",
                               "--metrics-bind-address=127.0.0.1:0",
                               "--metrics-secure=false",
                               "--health-probe-bind-address=127.0.0.1:0",
                               "--log-format=json"};
  all.emplace_back("--plugin-exports=warn");
  if (!o.kubeconfig.empty()) all.push_back("--kubeconfig=" + o.kubeconfig);
  if (!o.ns.empty()) all.push_back("--namespace=" + o.ns);
  all.insert(all.end(), o.flags.begin(), o.flags.end());
  return all;
}

// The daemon as a child in a process group of its own, so that Ctrl-C reaches it once, through
// here.
class daemon_process {
 public:
  daemon_process() = default;
  ~daemon_process() {
    if (log_ >= 0) ::close(log_);
  }
  daemon_process(const daemon_process&) = delete;
  daemon_process& operator=(const daemon_process&) = delete;

  bool start(const std::vector<std::string>& arguments, const sigset_t& mask) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    std::vector<char*> argv;
    for (const auto& a : arguments)
      argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) {
      setpgid(0, 0);
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (getppid() != parent) _exit(not_started);
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      sigprocmask(SIG_SETMASK, &mask, nullptr);
      execvp(argv[0], argv.data());
      dprintf(STDERR_FILENO, "cannot start %s: %s\n", argv[0], std::strerror(errno));
      _exit(not_started);
    }
    ::close(ends[1]);
    log_ = ends[0];
    return pid_ > 0;
  }

  [[nodiscard]] int log() const { return log_; }
  void send(int signal) const { ::kill(pid_, signal); }
  /// Once its log has ended.
  [[nodiscard]] int exit_code() const {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  int log_ = -1;
};

class log_printer {
 public:
  /// False at the end of the log.
  bool take(int from) {
    std::array<char, 16384> buffer{};
    const auto got = ::read(from, buffer.data(), buffer.size());
    if (got <= 0) {
      if (got < 0 && errno == EINTR) return true;
      if (!rest_.empty()) print(rest_);
      return false;
    }
    rest_.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t at = 0;
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', at)) {
      print(std::string_view(rest_).substr(at, end - at));
      at = end + 1;
    }
    rest_.erase(0, at);
    if (rest_.size() > line_bytes_max) {
      print(rest_);
      rest_.clear();
    }
    return true;
  }

  void say(std::string_view text) const {
    fmt::print("{}{}{}\n", coloured_ ? "\x1b[1m" : "", text, coloured_ ? "\x1b[0m" : "");
    std::fflush(stdout);
  }

 private:
  void print(std::string_view line) const {
    fmt::print("{}\n", readable_log_line(line, coloured_));
    std::fflush(stdout);
  }

  std::string rest_;
  bool coloured_ = wants_colours(STDOUT_FILENO);
};

// What inspect() says at its end: "would load  no: ...".
std::string refusal_of(const std::string& text) {
  const auto at = text.find("would load  no: ");
  return at == std::string::npos ? text : text.substr(at + 16, text.find('\n', at) - at - 16);
}

// New files: the daemon is told of them when it would take them.
void offer(const run_options& o, const daemon_process& daemon, const log_printer& out) {
  const auto report = inspect(o.plugin, plugin::export_rule::warn);
  if (report.would_load) {
    out.say("== the plugin was built anew: reloading it");
    daemon.send(SIGHUP);
  } else {
    out.say("== the plugin was built anew, and cannot be loaded; the one before goes on: " +
            refusal_of(report.text));
  }
}

int watch_daemon(const run_options& o, daemon_process& daemon, watched_files& files, int signals) {
  log_printer out;
  std::array<pollfd, 4> from = {{{daemon.log(), POLLIN, 0},
                                 {signals, POLLIN, 0},
                                 {files.changes(), POLLIN, 0},
                                 {files.quiet(), POLLIN, 0}}};
  for (;;) {
    if (::poll(from.data(), from.size(), -1) < 0 && errno != EINTR) break;
    if (from[0].revents != 0 && !out.take(daemon.log())) break;
    if (from[1].revents != 0) {
      signalfd_siginfo got{};
      const bool whole = ::read(signals, &got, sizeof(got)) == sizeof(got);
      // The end of the daemon is the end of its log.
      if (whole && got.ssi_signo != SIGCHLD) daemon.send(SIGTERM);
    }
    if (from[2].revents != 0) files.take_changes();
    if (from[3].revents != 0) {
      files.take_quiet();
      offer(o, daemon, out);
    }
  }
  return daemon.exit_code();
}

}  // namespace

int run_plugin(const run_options& options) {
  std::error_code failed;
  const auto folder = fs::is_directory(options.plugin, failed)
                          ? options.plugin
                          : fs::absolute(options.plugin).parent_path();
  const auto declared = plugin::read_manifest(folder / "plugin.yaml");
  if (!declared) return fail(declared.error().message);
  const auto report = inspect(options.plugin, plugin::export_rule::warn);
  if (!report.would_load) return fail(refusal_of(report.text));
  watched_files files(folder, {"plugin.yaml", declared->library});
  if (!files.trouble().empty()) return fail(files.trouble());

  const auto handled = handled_signals();
  sigset_t before;
  sigprocmask(SIG_BLOCK, &handled, &before);
  const int signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  daemon_process daemon;
  if (signals < 0 || !daemon.start(daemon_arguments(options), before)) {
    return fail(std::string("cannot start oarlockd: ") + std::strerror(errno));
  }
  const int code = watch_daemon(options, daemon, files, signals);
  ::close(signals);
  return code;
}

}  // namespace oarlock::cli
