#include "core/cache/reflector_policy.hpp"

#include <utility>

#include "core/base/mutant.hpp"
#include "core/cache/errors.hpp"
#include "core/cache/object.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::cache {

using kube::kube_error;

std::string_view name_of(reflector_state s) {
  switch (s) {
    case reflector_state::empty:
      return "empty";
    case reflector_state::streaming_list:
      return "streaming_list";
    case reflector_state::paging:
      return "paging";
    case reflector_state::listed:
      return "listed";
    case reflector_state::watching:
      return "watching";
    case reflector_state::backing_off:
      return "backing_off";
    case reflector_state::parked:
      return "parked";
    case reflector_state::stopped:
      return "stopped";
  }
  return "unknown";
}

namespace {

reaction react_streaming(const boost::system::error_code& code) {
  if (code == kube_error::gone || code == kube_error::version_too_large) {
    return reaction::relist_recent;
  }
  if (code == kube_error::throttled || code == kube_error::unauthorized) return reaction::again;
  // An older server, or one with the feature off, calls sendInitialEvents invalid; one that never
  // ends the initial events would not end them the next time either (kubernetes#140890).
  if (code == kube_error::invalid || code == cache_error::list_deadline) {
    return reaction::page_always;
  }
  return reaction::page;
}

reaction react_paging(const boost::system::error_code& code) {
  // "invalid", "bad_answer" and "bad_list" too: a list at "0" ignores the page size, so that its
  // body may be over our limit where pages of the most recent one are not.
  const bool retry = code == kube_error::throttled || code == kube_error::unauthorized ||
                     code == kube_error::unavailable || code == kube_error::untrusted;
  return retry ? reaction::again : reaction::relist_recent;
}

reaction react_watching(const boost::system::error_code& code, int repeats) {
  if (code == kube_error::gone || code == cache_error::replayed_event) return reaction::relist;
  if (code == kube_error::version_too_large) {
    return repeats > 0 ? reaction::relist_recent : reaction::again;
  }
  // The server answers, but not from this position on: a list gives another one.
  if (code == cache_error::error_event || code == cache_error::bad_line) {
    return repeats >= error_events_max ? reaction::relist : reaction::again;
  }
  if (code == kube_error::invalid) return reaction::relist_recent;
  // A watch at a version that a rewound server does not have yet is accepted, and silent for ever.
  if (code == cache_error::silent_watch) {
    return repeats > 0 ? reaction::relist : reaction::resume;
  }
  if (code == cache_error::broken_stream) return reaction::resume;
  return reaction::again;
}

}  // namespace

reaction react(reflector_phase phase, const boost::system::error_code& code, int repeats) {
  if (code == kube_error::cancelled) return reaction::stop;
  if (code == kube_error::forbidden) return reaction::park;
  if (code == kube_error::not_found && !OARLOCK_MUTANT("missing_kind_not_parked")) {
    return reaction::park_relist;
  }
  switch (phase) {
    case reflector_phase::streaming:
      return react_streaming(code);
    case reflector_phase::paging:
      return react_paging(code);
    case reflector_phase::watching:
      break;
  }
  return react_watching(code, repeats);
}

bool history_was_rewound(bool quorum_list, bool behind_position, bool older_objects) {
  return quorum_list && (behind_position || older_objects);
}

std::string version_ladder::for_list() const {
  if (recent_only_) return "";
  if (OARLOCK_MUTANT("relist_at_zero")) return "0";
  return position_.empty() ? "0" : position_;
}

void version_ladder::listed(std::string version) {
  position_ = std::move(version);
  recent_only_ = false;
}

bool version_ladder::is_behind(std::string_view version) const {
  if (position_.empty()) return false;
  const auto order = compare_versions(version, position_);
  return order && *order < 0;
}

bool version_ladder::advance(std::string_view version) {
  if (is_behind(version)) return false;
  if (!version.empty()) position_ = version;
  return true;
}

}  // namespace oarlock::cache
