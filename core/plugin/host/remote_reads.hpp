#pragma once
// What a call in the child reads comes from the daemon: cursors in pages, single objects live.
#include <map>
#include <string>
#include <string_view>

#include "core/controller/reconciler.hpp"
#include "core/plugin/ask_frames.hpp"
#include "core/plugin/cursor_calls.hpp"
#include "core/plugin/frame_io.hpp"

namespace oarlock::plugin::host {

/// One worker's channel, on which it asks while its call runs. The process ends when the daemon
/// does not answer.
class worker_channel {
 public:
  explicit worker_channel(int fd) : fd_(fd) {}
  /// `put` writes the question.
  template <class Put>
  [[nodiscard]] std::string ask(Put put) const {
    std::string text;
    wire::begin_frame(text);
    wire::writer w(text);
    put(w);
    exchange(text);
    return text;
  }

 private:
  void exchange(std::string& text) const;

  const int fd_;
};

class remote_live_reads final : public controller::live_reads {
 public:
  explicit remote_live_reads(worker_channel to) : to_(to) {}
  [[nodiscard]] controller::live_object get(const std::string& resource,
                                            const std::string& name) override;

 private:
  const worker_channel to_;
};

/// Of one call.
class remote_cursors final : public cursor_source {
 public:
  explicit remote_cursors(worker_channel to) : to_(to) {}
  [[nodiscard]] oarlock_status open(const cursor_query& what, std::uint64_t* out) override;
  [[nodiscard]] oarlock_status next(std::uint64_t cursor, oarlock_object_view& out) override;
  [[nodiscard]] oarlock_status close(std::uint64_t cursor) override;

 private:
  struct page {
    std::string resource;
    std::string bytes;
    std::size_t at = 0;    // of what was shown
    bool is_last = false;  // no page comes after it
  };
  [[nodiscard]] oarlock_status fetch(std::uint64_t cursor, page& into) const;

  const worker_channel to_;
  std::map<std::uint64_t, page> open_;
};

}  // namespace oarlock::plugin::host
