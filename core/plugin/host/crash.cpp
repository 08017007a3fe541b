#include "core/plugin/host/crash.hpp"

#include <execinfo.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>

#include "core/plugin/lent_pages.hpp"
#include "core/plugin/wire.hpp"

namespace oarlock::plugin::host {

namespace {

constexpr std::size_t signal_stack_bytes = 128U << 10U;
constexpr std::array<int, 7> fatal_signals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL,
                                              SIGABRT, SIGSYS, SIGTRAP};

thread_local std::int32_t this_worker = -1;
std::array<std::atomic<pid_t>, wire::workers_max> worker_threads;

// On the signal stack: no allocation, no lock.
[[gnu::noinline]] void end_with(wire::crash_record record) {
  // backtrace() is warm: its library is loaded and nothing is allocated.
  void* frames[wire::frames_of_stack_max];
  const int count = ::backtrace(frames, static_cast<int>(wire::frames_of_stack_max));
  for (int i = 0; i < count; ++i)
    record.addresses[i] = reinterpret_cast<std::uint64_t>(frames[i]);
  record.count = static_cast<std::uint32_t>(count);
  ::send(wire::notice_fd, &record, sizeof(record), MSG_NOSIGNAL);
  std::signal(record.signal, SIG_DFL);
  ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), record.signal);
}

void on_fatal_signal(int signal, siginfo_t* info, void*) {
  wire::crash_record record;
  record.signal = signal;
  record.worker = this_worker;
  // Codes up to 0 are of signals that a process sent; abort() sends its own.
  if (info->si_code <= 0 && info->si_pid != ::getpid()) record.sender = info->si_pid;
  record.kept_view = info->si_code > 0 && is_kept_view(info->si_addr) ? 1 : 0;
  end_with(record);
}

// The daemon asks where a worker is that should have been done. Any thread gets its signal, and
// hands it on.
void on_asked_where(int signal, siginfo_t* info, void*) {
  const bool is_handed_on = info->si_code == SI_TKILL && info->si_pid == ::getpid();
  if (is_handed_on) {
    wire::crash_record record;
    record.signal = signal;
    record.worker = this_worker;
    return end_with(record);
  }
  const auto worker = info->si_code == SI_QUEUE ? info->si_value.sival_int : -1;
  if (worker >= 0 && static_cast<std::uint32_t>(worker) < wire::workers_max) {
    ::syscall(SYS_tgkill, ::getpid(), worker_threads[static_cast<std::size_t>(worker)].load(),
              signal);
    return;
  }
  std::signal(signal, SIG_DFL);
  ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), signal);
}

void on_exit_of_plugin() {
  const wire::exit_record record{wire::frame::exiting, this_worker};
  ::send(wire::notice_fd, &record, sizeof(record), MSG_NOSIGNAL);
}

}  // namespace

void report_crashes() {
  void* warm[4];
  ::backtrace(warm, 4);
  struct sigaction how{};
  how.sa_sigaction = &on_fatal_signal;
  // NODEFER: a crash of the handler ends the process instead of hanging it.
  how.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESETHAND;
  sigemptyset(&how.sa_mask);
  for (const int signal : fatal_signals)
    ::sigaction(signal, &how, nullptr);
  how.sa_sigaction = &on_asked_where;
  how.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  ::sigaction(wire::where_signal, &how, nullptr);
  std::atexit(&on_exit_of_plugin);
}

void name_worker(std::int32_t worker) {
  this_worker = worker;
  if (worker >= 0) {
    worker_threads[static_cast<std::size_t>(worker)] = static_cast<pid_t>(::syscall(SYS_gettid));
  }
  void* memory = ::mmap(nullptr, signal_stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;  // an overflow then ends without a record
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = signal_stack_bytes;
  ::sigaltstack(&stack, nullptr);
}

}  // namespace oarlock::plugin::host
