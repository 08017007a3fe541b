#include "core/base/call_place.hpp"

#include <execinfo.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace oarlock {

namespace {

// Ignored unless somebody asks for it: one that comes too late harms nobody.
constexpr int where_signal = SIGURG;

thread_local call_place* current = nullptr;
std::atomic<bool> answers{false};

// The handler of this thread's own signal sees the call before what is called, and after.
call_place* set_current(call_place* in) {
  call_place* const before = std::exchange(current, in);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return before;
}

int this_thread() {
  static const thread_local int id = static_cast<int>(::syscall(SYS_gettid));
  return id;
}

struct wanted_code {
  std::uint64_t address;
  code_range* into;
};

int look_at(dl_phdr_info* info, std::size_t, void* wanted_by) {
  const auto& wanted = *static_cast<wanted_code*>(wanted_by);
  std::uint64_t end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type == PT_LOAD) end = std::max<std::uint64_t>(end, part.p_vaddr + part.p_memsz);
  }
  if (wanted.address < info->dlpi_addr || wanted.address >= info->dlpi_addr + end) return 0;
  wanted.into->begin = info->dlpi_addr;
  wanted.into->end = info->dlpi_addr + end;
  return 1;
}

}  // namespace

call_place::scope::scope(call_place& in) : in_(in), outer_(set_current(&in)) {
  in_.thread_ = this_thread();
}

call_place::scope::~scope() {
  in_.thread_ = 0;
  set_current(outer_);
}

bool call_place::ask() {
  const int thread = thread_;
  if (thread == 0 || !answers) return false;
  count_ = 0;
  is_asked_ = true;
  return ::syscall(SYS_tgkill, ::getpid(), thread, where_signal) == 0;
}

// In a signal handler, on the thread that is asked: no allocation and no lock of our own, as
// backtrace() is warm.
void call_place::write_down() {
  if (!is_asked_.exchange(false)) return;  // the signal was for another call of this thread
  std::array<void*, std::tuple_size_v<decltype(frames_)>> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int i = 0; i < count; ++i)
    frames_[static_cast<std::size_t>(i)] = reinterpret_cast<std::uint64_t>(frames[i]);
  count_.store(static_cast<std::size_t>(count), std::memory_order_release);
}

void call_place::on_asked(int /*signal*/) {
  const int before = errno;
  if (current != nullptr) current->write_down();
  errno = before;
}

void answer_where_calls_are() {
  std::array<void*, 4> warm{};
  ::backtrace(warm.data(), static_cast<int>(warm.size()));  // loads its library
  struct sigaction how{};
  how.sa_handler = &call_place::on_asked;
  how.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&how.sa_mask);
  answers = ::sigaction(where_signal, &how, nullptr) == 0;
}

code_range code_around(std::uint64_t function, std::string library) {
  code_range out{std::move(library)};
  wanted_code wanted{function, &out};
  ::dl_iterate_phdr(&look_at, &wanted);
  return out;
}

std::string places_in(const code_range& code, std::span<const std::uint64_t> stack) {
  constexpr std::size_t shown_max = 6;
  std::string out;
  std::size_t shown = 0;
  for (const auto at : stack) {
    if (at < code.begin || at >= code.end) continue;
    out += fmt::format("{}{}+{:#x}", shown == 0 ? " at " : ", ", code.library, at - code.begin);
    if (++shown == shown_max) break;
  }
  return out;
}

}  // namespace oarlock
