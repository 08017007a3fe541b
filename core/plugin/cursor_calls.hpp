#pragma once
// The table of oarlock.cache/1, the same in both homes: its calls go to what the thread's call into
// the plugin reads from.
#include <cstdint>
#include <map>
#include <string>

#include "core/plugin/cursors.hpp"

namespace oarlock::plugin {

/// Where one call's cursors come from: the cache, or in a child the daemon. Thread: the call's.
class cursor_source {
 public:
  virtual ~cursor_source() = default;
  [[nodiscard]] virtual oarlock_status open(const cursor_query& what, std::uint64_t* out) = 0;
  /// `out` has room for all fields; its views live until the next call for this cursor.
  [[nodiscard]] virtual oarlock_status next(std::uint64_t cursor, oarlock_object_view& out) = 0;
  [[nodiscard]] virtual oarlock_status close(std::uint64_t cursor) = 0;
};

/// For its life, calls of this thread go to `source`.
class cursor_scope {
 public:
  explicit cursor_scope(cursor_source& source);
  ~cursor_scope();
  cursor_scope(const cursor_scope&) = delete;
  cursor_scope& operator=(const cursor_scope&) = delete;
};

[[nodiscard]] const oarlock_host_cache& cursor_table();

/// In the daemon.
class cached_cursors final : public cursor_source {
 public:
  explicit cached_cursors(const controller::cached_kinds* kinds) : all_(kinds) {}
  [[nodiscard]] oarlock_status open(const cursor_query& what, std::uint64_t* out) override {
    return all_.open(what, out);
  }
  [[nodiscard]] oarlock_status next(std::uint64_t cursor, oarlock_object_view& out) override;
  [[nodiscard]] oarlock_status close(std::uint64_t cursor) override;

 private:
  cursors all_;
  std::map<std::uint64_t, std::string> shown_;  // the text of each cursor's last object
};

}  // namespace oarlock::plugin
