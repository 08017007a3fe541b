#pragma once
// What the model API server keeps: one counter of versions, live objects, the history of changes
// and, per kind, a watch cache that may lag behind it.
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/fields.hpp"

namespace oarlock::sim {

using version = std::uint64_t;
using object_json = std::shared_ptr<const js::object>;

struct object_name {
  std::string ns;
  std::string name;
  auto operator<=>(const object_name&) const = default;
};

struct stored_object {
  object_json body;  ///< as it is served, managedFields included
  std::vector<manager_entry> managers;
};

/// One change in the history of a kind.
struct stored_event {
  version at = 0;
  object_name name;
  object_json before;  ///< null: created
  object_json after;   ///< null: deleted
};

struct selectors {
  std::string ns;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> fields;  ///< metadata.name, metadata.namespace
  [[nodiscard]] bool match(const js::object& object) const;
};
/// "a=b,c=d"; throws std::runtime_error on any other operator.
[[nodiscard]] std::map<std::string, std::string> parse_selector(const std::string& text);

using snapshot = std::map<object_name, object_json>;

/// One kind.
class kind_store {
 public:
  explicit kind_store(const kind_info& kind) : kind_(kind) {}
  [[nodiscard]] const kind_info& kind() const { return kind_; }

  [[nodiscard]] const stored_object* find(const object_name& name) const;
  [[nodiscard]] const std::map<object_name, stored_object>& live() const { return live_; }
  void put(const object_name& name, stored_object object, version at);
  /// `last` is the object as its DELETED event shows it.
  void erase(const object_name& name, object_json last, version at);

  /// The state at `at`, from history.
  [[nodiscard]] snapshot state_at(version at) const;
  [[nodiscard]] const std::vector<stored_event>& history() const { return history_; }
  /// Up to here the watch cache has seen everything.
  [[nodiscard]] version cached() const { return cached_; }
  void advance_cache(version upto) { cached_ = std::max(cached_, upto); }

 private:
  const kind_info& kind_;
  std::map<object_name, stored_object> live_;
  std::vector<stored_event> history_;
  version cached_ = 0;
};

/// An open watch: what it has sent, and how it ends.
class model_watch {
 public:
  struct options {
    selectors match;
    version from = 0;
    bool bookmarks = false;
    bool initial_events = false;  ///< synthetic ADDED events first
    bool initial_end = false;     ///< and the bookmark that ends them
  };
  model_watch(const kind_store& store, options o);

  [[nodiscard]] const kind_info& kind() const { return store_.kind(); }
  /// Lines for what the watch cache has seen since the last call.
  [[nodiscard]] std::vector<std::string> lines();
  [[nodiscard]] std::optional<std::string> bookmark();
  /// The line that ends a watch whose position was compacted.
  [[nodiscard]] static std::string expired_line(version position, version oldest);
  [[nodiscard]] version position() const { return position_; }

 private:
  [[nodiscard]] std::string line(const char* type, const js::object& object) const;
  [[nodiscard]] std::string bookmark_line(version at, bool initial_end) const;

  const kind_store& store_;
  options options_;
  version position_;
  std::size_t next_ = 0;
  bool begun_ = false;
};

}  // namespace oarlock::sim
