#pragma once
// Keeps one store equal to what the API server has: lists, watches, and recovers by itself. States
// and reactions are in reflector_policy.hpp.
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/random.hpp"
#include "core/base/result.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/cache/object_decoder.hpp"
#include "core/cache/reflector_metrics.hpp"
#include "core/cache/reflector_policy.hpp"
#include "core/cache/scope.hpp"
#include "core/cache/store.hpp"
#include "core/cache/watch_backoff.hpp"
#include "core/kube/client.hpp"

namespace oarlock::cache {

/// Who hears of what a reflector does. Thread: the stream loop.
class reflector_sink {
 public:
  virtual ~reflector_sink() = default;
  /// The store has it already; `sequence` is the store's.
  virtual void on_change(const change& c, std::uint64_t sequence) = 0;
  /// The store has seen everything up to `version`.
  virtual void on_position(const std::string& version) = 0;
  /// A list was taken into the store.
  virtual void on_listed() = 0;
  /// It was a quorum list: `redecoded` objects were in it at the version that the store had, with
  /// other bytes. Their changes come after it.
  virtual void on_reread(std::size_t /*redecoded*/) {}
  /// A list in the making has grown to so many bytes.
  virtual void on_growth(std::size_t /*staged_bytes*/) {}
  /// The list that comes next is of a history that was rewound: versions start over. `is_news`:
  /// nobody had said so (rewound_elsewhere). Called before
  /// on_position, on_listed and the changes.
  virtual void on_rewound(bool is_news) = 0;
  /// `trouble` says why no events come; empty while they do.
  virtual void on_state(reflector_state state, const std::string& trouble) = 0;
};

namespace reflector_limits {
using namespace std::chrono_literals;
/// From the head of the answer to the end of the initial events.
inline constexpr duration streaming_list = 30s;
/// Asked of the server, at random so that clients do not come back together.
inline constexpr std::chrono::seconds watch_min = 300s;
inline constexpr std::chrono::seconds watch_max = 600s;
/// The server's own end of a watch may be so late.
inline constexpr duration watch_margin = 5s;
/// The API server sends a bookmark about once a minute. From a server that was seen to send them,
/// two minutes of silence mean a dead connection; from one that does not, silence means nothing.
inline constexpr duration silence = 120s;
inline constexpr duration short_watch = 1s;
inline constexpr duration parked = 30s;
/// An API server that has just started refuses what it allowed before, until it has read its roles
/// and its CRDs: the first wait of a kind that was served is short.
inline constexpr duration parked_first = 2s;
/// Decoding goes on this long before others on the loop get their turn.
inline constexpr duration slice = 250us;
inline constexpr int pages_max = 100000;
}  // namespace reflector_limits

/// Loop-bound: everything happens on the executor that run() was spawned on.
class reflector {
 public:
  /// By the shard of the store that they concern: none of them is too much for one slice.
  using change_parts = std::array<std::vector<change>, store::shard_count>;
  struct parts {
    kube::client* client;
    const clock* clock_source;
    timers* timer_source;
    random_source* random;
    metric_registry* metrics;
    store* target;
    reflector_sink* sink;
  };
  reflector(scope what, parts p);
  ~reflector();
  reflector(const reflector&) = delete;
  reflector& operator=(const reflector&) = delete;

  /// Runs until `stop`. Call it once; the reflector and its parts outlive it.
  task<> run(std::stop_token stop);
  [[nodiscard]] reflector_state state() const { return state_; }
  /// Cuts the wait of a parked or backing-off reflector short. Else does nothing.
  void wake();
  /// Replaces what the store has by a quorum list: now where a watch is live, else before the next
  /// one, also when a list is on its way.
  void relist();
  /// Until then, what a watch brought may have been decoded by a schema that is no more: a watch
  /// that ends is followed by a quorum list instead of being resumed.
  void doubt_until(steady_time end) { doubt_ends_ = end; }
  /// Another kind of the same server has seen that history was rewound. Here a watch may go on
  /// without a sign of it, when the new history has grown beyond the position: a quorum list is
  /// read, as a new epoch.
  void rewound_elsewhere();

 private:
  struct stream;
  task<> follow(bool initial);
  task<> end_of_watch(steady_time opened, bool had_events, std::optional<error> why);
  task<result<>> consume(stream& s);
  task<result<>> take_line(stream& s, std::string line);
  result<> take_event(watch_event event);
  task<> page_through();
  task<result<std::string>> read_pages(store::staging* staged, std::string version);
  task<result<>> decode_page(list_decoder& page, store::staging* staged);
  [[nodiscard]] result<> trust(const store::staging& staged, const std::string& version) const;
  void note_rewind(const change_parts& changes, const std::string& version, bool told);
  task<> commit(std::unique_ptr<store::staging> staged, std::string version, bool told);
  task<> recover(reflector_phase phase, error why);
  task<> wait(reflector_state state, duration how_long, const error& why);
  void set_state(reflector_state s);
  void report_bad_object(const error& why);
  void begin_slice();
  [[nodiscard]] bool slice_over() const;
  task<> yield();

  const scope what_;
  const parts parts_;
  object_decoder decoder_;
  reflector_metrics metrics_;
  watch_backoff backoff_;
  // Of relists: a server that says 410 answers, so an outage before it does not count.
  watch_backoff relist_backoff_;
  version_ladder ladder_;
  std::stop_token stop_;
  reflector_state state_ = reflector_state::empty;
  std::string trouble_;
  steady_time slice_began_{};
  boost::system::error_code last_failure_;
  int repeats_ = 0;             // of last_failure_
  std::stop_source interrupt_;  // of the watch or the wait under way
  bool needs_list_ = true;
  bool relist_wanted_ = false;
  steady_time doubt_ends_{};
  bool told_ = false;  // of a history that was rewound, and no quorum list read since
  bool page_next_ = false;
  bool streaming_refused_ = false;
  bool bookmarks_seen_ = false;
  bool last_was_short_ = false;
};

}  // namespace oarlock::cache
