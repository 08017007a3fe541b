#include "core/plugin/frame_io.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace oarlock::plugin::wire {

namespace {

// What a frame may keep of a buffer once it was large.
constexpr std::size_t kept_bytes_max = 1U << 20U;
// How much is made room for at a time: a size that is only claimed costs nothing.
constexpr std::size_t step_bytes = 1U << 20U;

// Waits for `events`. The other side's end counts as ready: the call that follows sees it.
io_status wait_for(int fd, short events, const deadline& until) {
  for (;;) {
    pollfd p{fd, events, 0};
    const int ready = ::poll(&p, 1, until.milliseconds_left());
    if (ready > 0) return io_status::ok;
    if (ready == 0) return io_status::late;
    if (errno != EINTR) return io_status::closed;
  }
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

io_status receive_bytes(int fd, char* to, std::size_t size, const deadline& until) {
  const int flags = until.clock_source == nullptr ? 0 : MSG_DONTWAIT;
  while (size > 0) {
    const auto got = ::recv(fd, to, size, flags);
    if (got > 0) {
      to += got;
      size -= static_cast<std::size_t>(got);
      continue;
    }
    if (got == 0 || !would_block()) return io_status::closed;
    const auto waited = wait_for(fd, POLLIN, until);
    if (waited != io_status::ok) return waited;
  }
  return io_status::ok;
}

}  // namespace

int deadline::milliseconds_left() const {
  if (clock_source == nullptr) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(at - clock_source->now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 24LL * 60 * 60 * 1000));
}

void descriptor::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

void begin_frame(std::string& frame_text) {
  frame_text.clear();
  if (frame_text.capacity() > kept_bytes_max) frame_text.shrink_to_fit();
  frame_text.resize(sizeof(head));
}

io_status send_frame(int fd, frame what, std::string& frame_text, const deadline& until) {
  const head h{static_cast<std::uint32_t>(frame_text.size() - sizeof(head)), what};
  std::memcpy(frame_text.data(), &h, sizeof(h));
  const int flags = MSG_NOSIGNAL | (until.clock_source == nullptr ? 0 : MSG_DONTWAIT);
  std::string_view rest = frame_text;
  while (!rest.empty()) {
    const auto sent = ::send(fd, rest.data(), rest.size(), flags);
    if (sent > 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (sent < 0 && !would_block()) return io_status::closed;
    const auto waited = wait_for(fd, POLLOUT, until);
    if (waited != io_status::ok) return waited;
  }
  return io_status::ok;
}

io_status receive_frame(int fd, frame& what, std::string& payload, std::size_t bytes_max,
                        const deadline& until) {
  head h;
  payload.clear();
  if (payload.capacity() > kept_bytes_max) payload.shrink_to_fit();
  const auto begun = receive_bytes(fd, reinterpret_cast<char*>(&h), sizeof(h), until);
  if (begun != io_status::ok) return begun;
  what = h.what;
  if (h.size > bytes_max) return io_status::refused;
  while (payload.size() < h.size) {
    const auto at = payload.size();
    payload.resize(std::min<std::size_t>(h.size, at + step_bytes));
    const auto got = receive_bytes(fd, payload.data() + at, payload.size() - at, until);
    if (got != io_status::ok) return got;
  }
  return io_status::ok;
}

}  // namespace oarlock::plugin::wire
