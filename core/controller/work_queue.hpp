#pragma once
// The queue of keys: deduplicated, one worker per key, delayed and backed off per key.
// A passive structure: time is an argument, waiting is the controller's business.
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/base/clock.hpp"
#include "core/cache/object.hpp"

namespace oarlock::controller {

/// client-go's workqueue rules: a key that is added while it is processed runs once more when it is
/// done; an earlier time wins over a later one; a delayed key does not count in depth().
/// Memory is bounded by the number of different keys. Thread: one.
class work_queue {
 public:
  /// Backoff of a key that fails: 5 ms doubled with each failure, at most 1000 s.
  static constexpr duration backoff_base = std::chrono::milliseconds(5);
  static constexpr duration backoff_max = std::chrono::seconds(1000);

  struct taken {
    cache::object_key key;
    steady_time added;  ///< when it became ready, for the queue duration metric
  };

  /// Makes `key` ready now. True when it was not ready or dirty before.
  bool add(const cache::object_key& key, steady_time now);
  /// Makes `key` ready at `when`, unless it is ready sooner.
  void add_at(const cache::object_key& key, steady_time when, steady_time now);
  /// The next ready key, or nothing. Delayed keys whose time has come are ready.
  [[nodiscard]] std::optional<taken> take(steady_time now);
  /// The work on a taken key is over. True when the key is ready again because it was added
  /// meanwhile.
  bool done(const cache::object_key& key, steady_time now);

  /// Counts one more failure of `key` and returns how long to wait.
  [[nodiscard]] duration next_backoff(const cache::object_key& key);
  [[nodiscard]] std::size_t failures(const cache::object_key& key) const;
  /// Forgets the failures of `key`.
  void forget(const cache::object_key& key);

  /// Ready keys, not counting delayed ones and those being worked on.
  [[nodiscard]] std::size_t depth() const { return ready_.size(); }
  [[nodiscard]] std::size_t processing() const { return processing_.size(); }
  /// When the earliest delayed key becomes ready; nothing when none is delayed.
  [[nodiscard]] std::optional<steady_time> next_delayed() const;
  /// Drops everything that waits; what is processed stays.
  void clear();

 private:
  struct ready_key {
    cache::object_key key;
    steady_time added;
  };
  void promote(steady_time now);
  void drop_delay(const cache::object_key& key);

  std::deque<ready_key> ready_;
  std::set<cache::object_key> queued_;
  std::set<cache::object_key> processing_;
  std::set<cache::object_key> dirty_;
  std::set<std::pair<steady_time, cache::object_key>> delayed_;
  std::map<cache::object_key, steady_time> delay_of_;
  std::map<cache::object_key, std::size_t> failures_;
};

}  // namespace oarlock::controller
