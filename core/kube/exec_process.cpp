#include "core/kube/exec_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <string_view>

#include "core/kube/errors.hpp"
#include "core/kube/files.hpp"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace oarlock::kube {

namespace {

using descriptor = boost::asio::posix::stream_descriptor;

constexpr duration exit_poll = std::chrono::milliseconds(10);
constexpr std::size_t error_text_bytes_max = 512;

// A child in a process group of its own, with the reading ends of its two outputs.
struct child {
  explicit child(const executor& loop) : out(loop), err(loop) {}
  ~child() { end(); }
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  // Kills it, with what it has started, unless it has ended by itself.
  void end() {
    boost::system::error_code ignored;
    out.close(ignored);
    err.close(ignored);
    if (pid > 0 && !reaped) {
      ::kill(-pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    pid = -1;
  }

  pid_t pid = -1;
  bool reaped = false;
  bool over_limit = false;
  descriptor out;
  descriptor err;
};

std::vector<std::string> environment(const exec_command& command) {
  std::map<std::string, std::string> all;
  char** own = command.only_this_env ? nullptr : environ;
  for (char** entry = own; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = std::min(text.find('='), text.size());
    all[std::string(text.substr(0, equals))] = text;
  }
  for (const auto& [name, value] : command.env)
    all[name] = name + "=" + value;
  std::vector<std::string> out;
  for (auto& [name, text] : all)
    out.push_back(std::move(text));
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts)
    out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// A file in memory with the input of a program; -1: it has none, or errno says why not.
int input_file(const std::string& input) {
  if (input.empty()) return -1;
  const int file = ::memfd_create("input", MFD_CLOEXEC);
  std::size_t written = 0;
  while (file >= 0 && written < input.size()) {
    const auto n = ::write(file, input.data() + written, input.size() - written);
    if (n < 0 && errno != EINTR) break;
    written += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  if (file >= 0 && written == input.size() && ::lseek(file, 0, SEEK_SET) == 0) return file;
  if (file >= 0) ::close(file);
  return -1;
}

int spawn_with(const exec_command& command, int in, int out, int err, pid_t* pid) {
  std::vector<std::string> args{command.program};
  args.insert(args.end(), command.args.begin(), command.args.end());
  auto env = environment(command);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  if (in >= 0) {
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&how, &none);
  posix_spawnattr_setsigdefault(&how, &all);
  posix_spawnattr_setflags(&how,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int failed = ::posix_spawnp(pid, command.program.c_str(), &files, &how,
                                    pointers(args).data(), pointers(env).data());
  posix_spawnattr_destroy(&how);
  posix_spawn_file_actions_destroy(&files);
  return failed;
}

result<> start(child& c, const exec_command& command) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) {
    return error{kube_error::unavailable, "could not open a pipe: " + std::string(strerror(errno))};
  }
  c.out.assign(out[0]);
  if (::pipe2(err.data(), O_CLOEXEC) != 0) {
    ::close(out[1]);
    return error{kube_error::unavailable, "could not open a pipe: " + std::string(strerror(errno))};
  }
  c.err.assign(err[0]);
  const int in = input_file(command.input);
  const bool has_input = in >= 0 || command.input.empty();
  const int failed = has_input ? spawn_with(command, in, out[1], err[1], &c.pid) : errno;
  if (in >= 0) ::close(in);
  ::close(out[1]);
  ::close(err[1]);
  if (failed == 0) return {};
  c.pid = -1;
  return error{kube_error::invalid, "could not be started: " + std::string(strerror(failed))};
}

// Reads to the end, keeping at most `bytes_max`; what comes beyond is read and dropped.
task<> read_all(descriptor* from, std::string* text, std::size_t bytes_max, bool* cut) {
  std::array<char, 4096> buffer{};
  while (from->is_open()) {
    const auto [ec, n] = co_await from->async_read_some(
        boost::asio::buffer(buffer), boost::asio::as_tuple(boost::asio::use_awaitable));
    const auto room = bytes_max - text->size();
    text->append(buffer.data(), std::min(n, room));
    *cut = *cut || n > room;
    if (ec) break;
  }
}

task<> read_errors(std::shared_ptr<child> c, std::shared_ptr<std::string> text) {
  bool cut = false;
  co_await read_all(&c->err, text.get(), error_text_bytes_max, &cut);
}

task<> end_at(std::shared_ptr<child> c, timers* timer_source, duration limit,
              std::stop_token stop) {
  const bool over = co_await timer_source->sleep_for(limit, stop);
  if (!over) co_return;
  c->over_limit = true;
  c->end();
}

task<int> exit_of(std::shared_ptr<child> c, timers* timer_source) {
  int status = -1;
  while (c->pid > 0) {
    const auto got = ::waitpid(c->pid, &status, WNOHANG);
    c->reaped = got == c->pid || got < 0;
    if (c->reaped) break;
    co_await timer_source->sleep_for(exit_poll, {});
  }
  co_return status;
}

task<result<std::string>> run(executor loop, timers* timer_source, exec_command command) {
  const auto c = std::make_shared<child>(loop);
  if (const auto started = start(*c, command); !started) co_return started.error();
  std::stop_source finished;
  const auto complaint = std::make_shared<std::string>();
  spawn(loop, end_at(c, timer_source, command.limit, finished.get_token()));
  spawn(loop, read_errors(c, complaint));
  bool cut = false;
  std::string printed;
  co_await read_all(&c->out, &printed, command.output_bytes_max, &cut);
  const int status = co_await exit_of(c, timer_source);
  finished.request_stop();
  const bool late = c->over_limit;
  c->end();
  const auto said = complaint->empty() ? "" : ": " + trimmed(*complaint);
  if (late) {
    const auto limit = std::chrono::duration_cast<std::chrono::seconds>(command.limit).count();
    co_return error{kube_error::unavailable,
                    "expected it to end within " + std::to_string(limit) + " s, killed it" + said};
  }
  if (cut) {
    co_return error{kube_error::invalid, "expected at most " +
                                             std::to_string(command.output_bytes_max) +
                                             " bytes on standard output, found more"};
  }
  if (WIFEXITED(status) && (command.any_exit_code || WEXITSTATUS(status) == 0)) co_return printed;
  const auto how = WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                                     : "signal " + std::to_string(WTERMSIG(status));
  co_return error{kube_error::unauthorized, "expected it to succeed, found " + how + said};
}

}  // namespace

exec_runner make_process_runner(executor loop, timers& timer_source) {
  return [loop = std::move(loop), &timer_source](exec_command command) {
    return run(loop, &timer_source, std::move(command));
  };
}

}  // namespace oarlock::kube
