#pragma once
// oarlock.cache/1: the cursors of one call into a plugin.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/controller/cached_kinds.hpp"
#include "oarlock/ext/cache.h"

namespace oarlock::plugin {

/// "app=web,tier!=db,canary,!old": what kubectl takes, without sets.
class label_selector {
 public:
  /// nullopt: it is none.
  [[nodiscard]] static std::optional<label_selector> parse(std::string_view text);
  [[nodiscard]] bool matches(const std::map<std::string, std::string>& labels) const;

 private:
  struct term {
    std::string key;
    std::optional<std::string> value;  // nullopt: the key alone
    bool wanted = true;
  };
  std::vector<term> terms_;
};

struct cursor_query {
  std::string resource;
  std::string ns;
  std::string labels;
  std::string owner_uid;
};

/// Pointers into the cache only: what is shown is unpacked by who shows it. Thread: that of the
/// call.
class cursors {
 public:
  static constexpr std::size_t open_max = 16;
  /// Different questions of one call, each of which is kept with its answer.
  static constexpr std::size_t questions_max = 1000;
  static constexpr std::size_t text_bytes_max = 4096;

  /// `kinds` outlives this; null: nothing is cached.
  explicit cursors(const controller::cached_kinds* kinds) : kinds_(kinds) {}

  [[nodiscard]] oarlock_status open(const cursor_query& what, std::uint64_t* out);
  /// The next object, null after the last one; `status` says whether there is such a cursor.
  [[nodiscard]] cache::object_ptr next(std::uint64_t id, oarlock_status& status);
  /// Empty: there is no such cursor.
  [[nodiscard]] std::string_view resource_of(std::uint64_t id) const;
  [[nodiscard]] oarlock_status close(std::uint64_t id);

 private:
  using objects = std::vector<cache::object_ptr>;
  struct cursor {
    std::string resource;
    std::shared_ptr<const objects> all;
    std::size_t at = 0;
    label_selector wanted;
  };

  [[nodiscard]] std::shared_ptr<const objects> look(const cursor_query& what);

  const controller::cached_kinds* kinds_;
  // Of this call, so that the same question has the same answer.
  std::map<std::tuple<std::string, std::string, std::string>, std::shared_ptr<const objects>> seen_;
  std::map<std::uint64_t, cursor> open_;
  std::uint64_t next_id_ = 1;
};

}  // namespace oarlock::plugin
