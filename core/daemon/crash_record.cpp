#include "core/daemon/crash_record.hpp"

#include <execinfo.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <sstream>

#include "core/base/log.hpp"
#include "core/plugin/lent_pages.hpp"
#include "core/plugin/library.hpp"
#include "core/plugin/plugin_call.hpp"

namespace oarlock::daemon {

namespace {

#ifdef OARLOCK_SANITIZED
constexpr bool under_a_sanitizer = true;
#else
constexpr bool under_a_sanitizer = false;
#endif

constexpr std::size_t frames_max = 32;
constexpr std::string_view plugin_line = "plugin: ";
// For the handler and the unwinder, beside the registers that the kernel saves.
constexpr std::size_t handler_stack_bytes = 64U << 10U;
constexpr std::array<int, 6> fatal_signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

// Filled once by record_crashes and never freed: what follows may not allocate.
const char* record_file = nullptr;
const char* headline = "oarlockd";

thread_local bool needs_memory = false;
thread_local int shown_on = -1;

// The stack for the handler of this thread: the thread's own may be what has run out.
class handler_stack {
 public:
  handler_stack() {
    memory_ = ::mmap(nullptr, handler_stack_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory_ == MAP_FAILED) return;  // then an overflow leaves no record
    stack_t use{};
    use.ss_sp = memory_;
    use.ss_size = handler_stack_bytes;
    ::sigaltstack(&use, nullptr);
  }
  ~handler_stack() {
    if (memory_ == MAP_FAILED) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
    ::munmap(memory_, handler_stack_bytes);
  }
  handler_stack(const handler_stack&) = delete;
  handler_stack& operator=(const handler_stack&) = delete;

 private:
  void* memory_ = nullptr;
};

void put(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto done = ::write(fd, text.data(), text.size());
    if (done <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
}

// No allocation and no lock of our own: backtrace() is warm.
void write_record(int fd, std::string_view what, void* const* frames, int count) {
  std::array<char, 17> thread{};
  ::prctl(PR_GET_NAME, thread.data());
  for (const std::string_view part :
       {std::string_view(headline), std::string_view(" ended: "), what,
        std::string_view(" in thread "), std::string_view(thread.data()), std::string_view("\n")}) {
    put(fd, part);
  }
  if (const auto* in = plugin::current_plugin_call(); in != nullptr) {
    for (const std::string_view part :
         {plugin_line, std::string_view(in->plugin), std::string_view(" "),
          std::string_view(in->version), std::string_view(" "), what, std::string_view(" in "),
          std::string_view(in->slot), std::string_view(*in->name != 0 ? " of " : ""),
          std::string_view(in->ns), std::string_view(*in->ns != 0 ? "/" : ""),
          std::string_view(in->name), std::string_view("\n")}) {
      put(fd, part);
    }
  }
  ::backtrace_symbols_fd(frames, count, fd);
  shown_on = fd;
  plugin::show_libraries([](const char* line) { put(shown_on, line); });
}

void record(std::string_view what) {
  std::array<void*, frames_max> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  write_record(STDERR_FILENO, what, frames.data(), count);
  if (record_file == nullptr) return;
  const int fd =
      ::open(record_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (fd < 0) return;
  write_record(fd, what, frames.data(), count);
  ::close(fd);
}

std::string_view name_of(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    case SIGABRT:
      return "SIGABRT";
    default:
      return "SIGSYS";
  }
}

void on_fatal_signal(int signal, siginfo_t* info, void*) {
  const bool kept_view = info->si_code > 0 && plugin::is_kept_view(info->si_addr);
  if (kept_view) put(STDERR_FILENO, "a plugin kept a view, which is gone when its call returns\n");
  record(name_of(signal));
  ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), signal);  // the default action now
}

void on_no_memory() {
  if (!needs_memory) throw std::bad_alloc();
  memory_has_run_out();
}

void on_exit() {
  if (plugin::current_plugin_call() != nullptr) record("exit()");
}

// "plugin: NAME VERSION HOW"
std::optional<crashed_plugin> parse_plugin(const std::string& line) {
  if (!line.starts_with(plugin_line)) return std::nullopt;
  std::istringstream words(line.substr(plugin_line.size()));
  crashed_plugin out;
  words >> out.plugin >> out.version;
  if (!words || !std::getline(words >> std::ws, out.how)) return std::nullopt;
  return out;
}

// What the last run left.
std::optional<crashed_plugin> show_last(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string first;
  std::string second;
  if (!std::getline(in, first)) return std::nullopt;
  std::getline(in, second);
  const auto seen = file.parent_path() / "seen-crash.log";
  std::error_code ec;
  std::filesystem::rename(file, seen, ec);
  log_warn("an earlier run crashed", {{"record", first}, {"file", seen.string()}});
  return parse_plugin(second);
}

}  // namespace

std::optional<crashed_plugin> record_crashes(const std::string& state_dir,
                                             std::string_view version) {
  std::optional<crashed_plugin> last;
  static const std::string title = "oarlockd " + std::string(version);
  headline = title.c_str();
  if (!state_dir.empty()) {
    static const std::string file = (std::filesystem::path(state_dir) / "last-crash.log").string();
    std::error_code ec;
    std::filesystem::create_directories(state_dir, ec);
    last = show_last(file);
    record_file = file.c_str();
  }
  std::array<void*, 4> warm{};
  ::backtrace(warm.data(), static_cast<int>(warm.size()));  // loads its library
  std::set_new_handler(&on_no_memory);
  std::atexit(&on_exit);
  record_overflow_here();
  if (under_a_sanitizer) return last;
  struct sigaction how{};
  how.sa_sigaction = &on_fatal_signal;
  // NODEFER: a crash of the handler ends the process instead of hanging it.
  how.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  sigemptyset(&how.sa_mask);
  for (const int signal : fatal_signals)
    ::sigaction(signal, &how, nullptr);
  return last;
}

void record_overflow_here() {
  if (!under_a_sanitizer) static const thread_local handler_stack mine;
}

void end_without_memory() {
  needs_memory = true;
}

void memory_has_run_out() {
  record("out of memory");
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

}  // namespace oarlock::daemon
