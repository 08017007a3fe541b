#pragma once
// Where a thread is that has been in one call for too long, told by a signal to that thread.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace oarlock {

/// One call that other threads may ask after. Outlives the call, and whoever asks.
class call_place {
 public:
  /// While it lives this thread is in the call.
  class scope {
   public:
    explicit scope(call_place& in);
    ~scope();
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

   private:
    call_place& in_;
    call_place* outer_;
  };

  /// Has the thread that is in the call write down its stack. False: none is in it, or this process
  /// takes no such questions (see answer_where_calls_are). What waits in the call may be
  /// interrupted (EINTR). Thread: any; never blocks.
  bool ask();
  /// The stack at the last ask(), innermost first; empty until it is there. Not while asking anew.
  [[nodiscard]] std::span<const std::uint64_t> stack() const {
    return std::span(frames_).first(count_.load(std::memory_order_acquire));
  }

 private:
  static void on_asked(int signal);
  friend void answer_where_calls_are();
  void write_down();

  std::atomic<int> thread_{0};
  std::atomic<bool> is_asked_{false};
  std::atomic<std::size_t> count_{0};
  std::array<std::uint64_t, 32> frames_{};
};

/// From now on the threads of this process answer ask(). Thread: main, before there are others.
void answer_where_calls_are();

/// Where the code of a library lies in a process.
struct code_range {
  std::string library;  ///< its name for people
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// That of the library which holds `function`; empty when there is none.
[[nodiscard]] code_range code_around(std::uint64_t function, std::string library);

/// " at libzoo.so+0x1139, libzoo.so+0x1184": what of the stack is the library's, six at most.
/// Empty when nothing is.
[[nodiscard]] std::string places_in(const code_range& code, std::span<const std::uint64_t> stack);

}  // namespace oarlock
