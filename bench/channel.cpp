// A call to a child process and its answer, over the socket that the child home uses and over
// shared memory with a futex: the frame goes there, one byte comes back. The figures are behind
// docs/decisions/0004.
#include <benchmark/benchmark.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "core/plugin/frame_io.hpp"

namespace oarlock {
namespace {

constexpr std::size_t room = 128 * 1024;

// One direction: `turn` counts the messages that were put into `bytes`.
struct mailbox {
  std::atomic<std::uint32_t> turn{0};
  std::uint32_t size = 0;
  std::array<char, room> bytes{};
};
struct shared_pair {
  mailbox call, answer;
};

void futex(std::atomic<std::uint32_t>& word, int what, std::uint32_t value) {
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), what, value, nullptr, nullptr, 0);
}

void post(mailbox& box, std::string_view text) {
  std::memcpy(box.bytes.data(), text.data(), text.size());
  box.size = static_cast<std::uint32_t>(text.size());
  box.turn.fetch_add(1, std::memory_order_release);
  futex(box.turn, FUTEX_WAKE, 1);
}

// Copies as the socket does: the sender may be hostile and change the bytes under the reader.
void take(mailbox& box, std::uint32_t seen, std::string& text) {
  while (box.turn.load(std::memory_order_acquire) == seen)
    futex(box.turn, FUTEX_WAIT, seen);
  text.assign(box.bytes.data(), box.size);
}

pid_t in_child(const auto& work) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  work();
  ::_exit(0);
}

void finish(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

std::string frame_of(std::size_t bytes) {
  std::string text;
  plugin::wire::begin_frame(text);
  return text.append(bytes, 'x');
}

void socket_call(benchmark::State& state) {
  using plugin::wire::frame;
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  const pid_t child = in_child([&] {
    std::string text;
    frame what{};
    auto reply = frame_of(1);
    while (receive_frame(ends[1], what, text, room) == plugin::wire::io_status::ok)
      (void)send_frame(ends[1], what, reply);
  });
  auto call = frame_of(static_cast<std::size_t>(state.range(0)));
  std::string text;
  frame what{};
  for (auto _ : state) {
    (void)send_frame(ends[0], what, call);
    if (receive_frame(ends[0], what, text, room) != plugin::wire::io_status::ok) std::abort();
  }
  finish(child);
  ::close(ends[0]);
  ::close(ends[1]);
}
BENCHMARK(socket_call)->Arg(1)->Arg(4096)->Arg(65536)->UseRealTime();

void shared_memory_call(benchmark::State& state) {
  void* memory = ::mmap(nullptr, sizeof(shared_pair), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  auto& pair = *new (memory) shared_pair;
  const pid_t child = in_child([&] {
    std::string text;
    for (std::uint32_t n = 0;; ++n) {
      take(pair.call, n, text);
      post(pair.answer, "x");
    }
  });
  const std::string call(static_cast<std::size_t>(state.range(0)), 'x');
  std::string text;
  std::uint32_t n = 0;
  for (auto _ : state) {
    post(pair.call, call);
    take(pair.answer, n++, text);
  }
  finish(child);
  ::munmap(memory, sizeof(shared_pair));
}
BENCHMARK(shared_memory_call)->Arg(1)->Arg(4096)->Arg(65536)->UseRealTime();

}  // namespace
}  // namespace oarlock
