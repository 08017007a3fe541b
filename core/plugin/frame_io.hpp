#pragma once
// Frames over local stream sockets. The host program blocks; the daemon waits with a deadline.
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/plugin/wire.hpp"

namespace oarlock::plugin::wire {

enum class io_status {
  ok,
  closed,   ///< the other side is gone
  late,     ///< the deadline has passed
  refused,  ///< the frame is longer than it may be
};

/// Until when, by whose clock; none: as long as it takes.
struct deadline {
  const clock* clock_source = nullptr;
  steady_time at{};

  /// For poll(): milliseconds, rounded up, 0 when it has passed, -1 when there is none.
  [[nodiscard]] int milliseconds_left() const;
};

/// Closes on destruction.
class descriptor {
 public:
  explicit descriptor(int fd = -1) : fd_(fd) {}
  ~descriptor() { reset(); }
  descriptor(descriptor&& other) noexcept : fd_(other.release()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    reset(other.release());
    return *this;
  }
  void reset(int fd = -1);
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// `frame_text` starts with room for the head, which is filled in here.
[[nodiscard]] io_status send_frame(int fd, frame what, std::string& frame_text,
                                   const deadline& until = {});
/// The payload of the next frame, which has at most `bytes_max` bytes.
[[nodiscard]] io_status receive_frame(int fd, frame& what, std::string& payload,
                                      std::size_t bytes_max, const deadline& until = {});
/// Empties `frame_text` but for the room of its head.
void begin_frame(std::string& frame_text);

}  // namespace oarlock::plugin::wire
