#include "core/cli/run/watched_files.hpp"

#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace oarlock::cli {

namespace {

// A linker writes in pieces, a build writes several files: this long without a write is the end.
constexpr long quiet_ns = 300'000'000;

}  // namespace

watched_files::watched_files(const std::filesystem::path& folder, std::set<std::string> names)
    : names_(std::move(names)),
      inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  // The folder, not the files: linkers replace them.
  constexpr unsigned events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MODIFY;
  if (inotify_ < 0 || timer_ < 0 || inotify_add_watch(inotify_, folder.c_str(), events) < 0) {
    trouble_ = "watch " + folder.string() + ": " + std::strerror(errno);
  }
}

watched_files::~watched_files() {
  for (const int fd : {inotify_, timer_}) {
    if (fd >= 0) ::close(fd);
  }
}

void watched_files::take_changes() {
  alignas(inotify_event) std::array<char, 8192> buffer{};
  bool counts = false;
  bool is_open = false;
  for (;;) {
    const auto got = ::read(inotify_, buffer.data(), buffer.size());
    if (got <= 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      const bool ours = event->len > 0 && names_.contains(event->name);
      if (ours || (event->mask & IN_Q_OVERFLOW) != 0) {
        counts = true;
        is_open = (event->mask & (IN_CREATE | IN_MODIFY)) != 0;
      }
      at += sizeof(inotify_event) + event->len;
    }
  }
  if (!counts) return;
  // While somebody writes there is nothing to wait for but the end of that.
  const itimerspec in{{0, 0}, {0, is_open ? 0 : quiet_ns}};
  timerfd_settime(timer_, 0, &in, nullptr);
}

void watched_files::take_quiet() {
  std::uint64_t times = 0;
  [[maybe_unused]] const auto got = ::read(timer_, &times, sizeof(times));
}

}  // namespace oarlock::cli
