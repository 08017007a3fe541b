#pragma once
// What crosses between the daemon and oarlock-plugin-host: frames of little numbers and bytes over
// local sockets. Both programs are of one build, so nothing is versioned; but neither side reads a
// byte past what it was given, and the daemon believes nothing that a child says.
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace oarlock::plugin::wire {

/// Descriptors of a child: nothing else is open in it.
inline constexpr int call_fd = 3;     ///< stream: load, start, drain, stop, one at a time
inline constexpr int library_fd = 4;  ///< sealed memory file with the plugin's library
inline constexpr int notice_fd = 5;   ///< packets to the daemon: log records, how it died
inline constexpr int lease_fd = 6;    ///< memory file with the lease's limit, if there is one
inline constexpr int first_worker_fd = 7;
inline constexpr std::uint32_t workers_max = 16;
/// Queued to a child with the index of a worker: say where that one is, and end.
inline constexpr int where_signal = SIGQUIT;

/// The inputs of a plan: a namespace full of pods fits, a runaway selector does not.
inline constexpr std::size_t request_bytes_max = 64U << 20U;
/// The answer: a little more than plan_sink takes, so that plan_sink says what is too much.
inline constexpr std::size_t reply_bytes_max = 20U << 20U;
inline constexpr std::size_t notice_bytes_max = 64U << 10U;
inline constexpr std::size_t calls_max = 4096;
inline constexpr std::size_t objects_max = 1U << 20U;
inline constexpr std::size_t frames_of_stack_max = 32;

enum class frame : std::uint32_t {
  load = 1,
  start,
  drain,
  stop,
  plan,
  answered,  ///< status, why, log records: to all of the above but plan
  planned,   ///< what plan() recorded
  // notices
  logged,
  stray_call,  ///< a slot was called outside of its call
  crashed,     ///< a signal is about to end the child
  exiting,     ///< the plugin called exit()
  enqueued,    ///< an event source named an object
  measured,    ///< metrics
  // one effect
  effect,
  acted,  ///< what it came to
  // of a worker, while its call runs
  ask,   ///< what it wants to read: ask_frames.hpp
  told,  ///< the daemon's answer
  // one request of a pod
  inbound,
  answered_pod,  ///< what the pod gets
  // one review of an object
  review,
  reviewed,
};

/// In front of every frame on a stream.
struct head {
  std::uint32_t size = 0;  ///< of what follows
  frame what{};
};

/// A signal's record, sent as it is by the signal handler.
struct crash_record {
  frame what = frame::crashed;
  std::int32_t signal = 0;
  std::int32_t worker = -1;  ///< index of the worker thread it hit; -1: another thread
  std::int32_t sender = 0;   ///< the other process that sent it; 0: the child itself
  std::uint32_t count = 0;
  std::uint32_t kept_view = 0;  ///< 1: it read a view of a call that is over (debug builds)
  std::uint64_t addresses[frames_of_stack_max] = {};
};

struct exit_record {
  frame what = frame::exiting;
  std::int32_t worker = -1;
};

class writer {
 public:
  explicit writer(std::string& out) : out_(&out) {}

  void u8(std::uint8_t v) { raw(&v, sizeof(v)); }
  void u32(std::uint32_t v) { raw(&v, sizeof(v)); }
  void u64(std::uint64_t v) { raw(&v, sizeof(v)); }
  void i32(std::int32_t v) { raw(&v, sizeof(v)); }
  void i64(std::int64_t v) { raw(&v, sizeof(v)); }
  void f64(double v) { raw(&v, sizeof(v)); }
  void text(std::string_view v) {
    u64(v.size());
    raw(v.data(), v.size());
  }
  void raw(const void* data, std::size_t size) {
    out_->append(static_cast<const char*>(data), size);
  }

 private:
  std::string* out_;
};

/// After the first read past the end everything reads as zero and ok() is false.
class reader {
 public:
  explicit reader(std::string_view rest) : rest_(rest) {}

  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  std::int32_t i32() { return number<std::int32_t>(); }
  std::int64_t i64() { return number<std::int64_t>(); }
  double f64() { return number<double>(); }
  /// A view into the frame.
  std::string_view text() { return bytes(u64()); }
  std::string_view bytes(std::uint64_t size) {
    if (!ok_ || size > rest_.size()) {
      fail();
      return {};
    }
    const auto out = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(out.size());
    return out;
  }
  /// A count of things that are at least `bytes_each` long: one that cannot be true fails.
  std::uint64_t count(std::uint64_t most, std::size_t bytes_each) {
    const std::uint64_t n = u64();
    if (n > most || n > rest_.size() / bytes_each) fail();
    return ok_ ? n : 0;
  }

  void fail() {
    ok_ = false;
    rest_ = {};
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  template <class T>
  T number() {
    T v{};
    const auto from = bytes(sizeof(T));
    for (std::size_t i = 0; i < from.size(); ++i)
      reinterpret_cast<char*>(&v)[i] = from[i];
    return v;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace oarlock::plugin::wire
