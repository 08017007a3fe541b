#pragma once
// The queue of keys: deduplicated, one worker per key, delayed and backed off per key.
// A passive structure: time is an argument, waiting is the controller's business.
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/token_bucket.hpp"
#include "core/cache/object.hpp"

namespace oarlock::controller {

/// controller-runtime's numbers: what a user changed goes before what a start brings up.
enum class priority : std::int8_t { low = -100, normal = 0 };

/// What a queue holds, for the debug dump: of each kind the number, and the first of them.
struct queue_snapshot {
  struct waiting {
    cache::object_key key;
    duration time;  ///< until it is ready, or since its work began
  };
  struct failing {
    cache::object_key key;
    std::size_t failures;
  };
  std::size_t ready_count = 0;
  std::size_t delayed_count = 0;
  std::size_t processing_count = 0;
  std::size_t failing_count = 0;
  std::vector<cache::object_key> ready;  ///< in their order
  std::vector<waiting> delayed;          ///< the next ones first
  std::vector<waiting> processing;
  std::vector<failing> failures;
};

/// client-go's workqueue rules: a key that is added while it is processed runs once more when it is
/// done; an earlier time and a higher priority win; first come, first served within a priority; a
/// delayed key does not count in depth(). Memory is bounded by the number of different keys.
/// Thread: one.
class work_queue {
 public:
  /// Backoff of a key that fails: 5 ms doubled with each failure, at most 1000 s.
  static constexpr duration backoff_base = std::chrono::milliseconds(5);
  static constexpr duration backoff_max = std::chrono::seconds(1000);
  /// Retries of all keys together: one each 100 ms after a burst of 100 (client-go's bucket), so
  /// that a failure of everything does not become a load of everything.
  static constexpr duration retry_interval = std::chrono::milliseconds(100);
  static constexpr int retry_burst = 100;

  struct taken {
    cache::object_key key;
    steady_time added;  ///< when it became ready, for the queue duration metric
  };

  /// Makes `key` ready now. True when it was not ready or dirty before.
  bool add(const cache::object_key& key, steady_time now, priority p = priority::normal);
  /// Makes `key` ready at `when`, unless it is ready sooner. A key that is being worked on comes
  /// again at the priority of that work.
  void add_at(const cache::object_key& key, steady_time when, steady_time now);
  /// The next ready key, or nothing. Delayed keys whose time has come are ready.
  [[nodiscard]] std::optional<taken> take(steady_time now);
  /// The work on a taken key is over. True when the key is ready again because it was added
  /// meanwhile.
  bool done(const cache::object_key& key, steady_time now);

  /// Counts one more failure of `key` and returns how long to wait: its own backoff, or its turn
  /// among the retries of all keys if that is later.
  [[nodiscard]] duration next_backoff(const cache::object_key& key, steady_time now);
  /// Forgets the failures of `key`.
  void forget(const cache::object_key& key);

  /// Ready keys, not counting delayed ones and those being worked on.
  [[nodiscard]] std::size_t depth() const { return ready_.size(); }
  [[nodiscard]] std::size_t depth(priority p) const;
  [[nodiscard]] std::size_t processing() const { return processing_.size(); }
  [[nodiscard]] bool is_processing(const cache::object_key& key) const {
    return processing_.contains(key);
  }
  /// Makes delayed keys ready whose time has come; take() does so too.
  void promote(steady_time now);
  /// When the earliest delayed key becomes ready; nothing when none is delayed.
  [[nodiscard]] std::optional<steady_time> next_delayed() const;
  /// At most `most` keys of each kind.
  [[nodiscard]] queue_snapshot snapshot(steady_time now, std::size_t most) const;
  /// Drops everything that waits; what is processed stays.
  void clear();

 private:
  // Higher priorities first, then in order of arrival.
  struct place {
    int rank;
    std::uint64_t arrival;
    auto operator<=>(const place&) const = default;
  };
  struct delay {
    steady_time when;
    priority level;
  };
  struct work {
    priority level;
    steady_time since;
  };
  priority drop_delay(const cache::object_key& key, priority p);

  std::map<place, taken> ready_;
  std::map<cache::object_key, place> queued_;
  std::map<cache::object_key, work> processing_;
  std::map<cache::object_key, priority> dirty_;
  std::set<std::pair<steady_time, cache::object_key>> delayed_;
  std::map<cache::object_key, delay> delay_of_;
  std::map<cache::object_key, std::size_t> failures_;
  std::uint64_t arrivals_ = 0;
  std::size_t low_ready_ = 0;
  token_bucket retries_{retry_interval, retry_burst};
};

}  // namespace oarlock::controller
