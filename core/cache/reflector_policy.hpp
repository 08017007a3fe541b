#pragma once
// What a reflector does after a failure, and which version it asks for next. Pure: the tables of
// reflector_policy_test.cpp are the specification.
#include <boost/system/error_code.hpp>

#include <string>
#include <string_view>

namespace oarlock::cache {

/// Where a reflector stands.
///
///   empty ──▶ streaming_list ──▶ listed ──▶ watching ◀─┐
///                │  ▲              ▲            │      │ resume from the position
///                ▼  │              │            ├──────┘
///              paging ─────────────┘            │ 410, an old event: list again
///                                               ▼
///   any of them ──▶ backing_off ──▶ the same again, or a list
///   403, 404    ──▶ parked ──▶ tries again by itself
enum class reflector_state {
  empty,           ///< nothing known yet
  streaming_list,  ///< a watch that starts with the present objects (WatchList); staged, not
                   ///< visible
  paging,          ///< a list, page by page; staged, not visible
  listed,          ///< the store is what the list said; its changes are being handed out
  watching,        ///< live
  backing_off,     ///< waiting after a failure
  parked,          ///< forbidden or not found: waiting for somebody to change that
  stopped,         ///< over
};
[[nodiscard]] std::string_view name_of(reflector_state s);

/// What was being done when it failed.
enum class reflector_phase { streaming, paging, watching };

enum class reaction {
  again,          ///< wait, then the same again; the position is kept
  resume,         ///< at once again from the position, unless it was a short watch
  relist,         ///< wait, then list again, no older than the position
  relist_recent,  ///< wait, then list the most recent, whatever was seen before
  page,           ///< list by pages, now
  page_always,    ///< and do not try a streaming list again
  park,           ///< wait long, then try again
  park_relist,    ///< wait long, then list: what was watched may be gone
  stop,           ///< the caller stopped
};

/// So often a watch may fail with an ERROR event, or with a line that is no event, at one position
/// before that is given up.
inline constexpr int error_events_max = 3;

/// `repeats`: how many attempts before it failed in the same way, one after the other.
[[nodiscard]] reaction react(reflector_phase phase, const boost::system::error_code& code,
                             int repeats);

/// Is history other than the one we knew? A list may be older than the position for two reasons: an
/// API server answers from a cache that lags (one of several, or one just started), or etcd was
/// restored from a backup. Only a quorum list (resourceVersion="", by pages) tells them apart: it
/// is linearizable, so it is never older than anything that was read before it, unless what was
/// read is not in this history any more. All other lists behind the position are refused.
/// A history that went back and has grown beyond the position is told by an object that is older
/// than it was: `older_objects`, of those that were no newer than the list.
[[nodiscard]] bool history_was_rewound(bool quorum_list, bool behind_position, bool older_objects);

/// The resourceVersion to list with: "0" (any) the first time, then the last one seen, so that the
/// cache never goes back in time; "" (the most recent, read through to the store) only after the
/// server said that it cannot serve that one. (kubernetes#86430)
class version_ladder {
 public:
  [[nodiscard]] const std::string& position() const { return position_; }
  [[nodiscard]] std::string for_list() const;
  /// A streaming list never starts at "0": "" is served from the watch cache, and is fresh.
  [[nodiscard]] std::string for_streaming() const { return recent_only_ ? "" : position_; }
  /// The next list is the truth even where it is older than what was seen: a restored backup.
  [[nodiscard]] bool recent_only() const { return recent_only_; }
  /// Then by pages: a streaming list is served from a cache, however recent.
  [[nodiscard]] bool needs_quorum_list() const { return recent_only_ && !position_.empty(); }

  void ask_for_recent() { recent_only_ = true; }
  /// A list was taken over.
  void listed(std::string version);
  /// False: `version` is older than the position, which stays.
  bool advance(std::string_view version);
  [[nodiscard]] bool is_behind(std::string_view version) const;

 private:
  std::string position_;
  bool recent_only_ = false;
};

}  // namespace oarlock::cache
