#pragma once
// How a list or a watch can go wrong beyond what the API server says (that is kube::kube_error).
#include <boost/system/error_code.hpp>

#include <string_view>
#include <type_traits>

namespace oarlock::cache {

enum class cache_error {
  broken_stream = 1,  ///< the watch broke off
  silent_watch,       ///< nothing came for too long: the connection is taken for dead
  bad_line,           ///< the watch sent what is no watch event, or a line without end
  error_event,        ///< the watch sent an ERROR event that says no more than 5xx
  short_watch,        ///< the watch ended at once, without an event
  list_deadline,      ///< a streaming list did not end in time
  replayed_event,     ///< a bookmark, or an object that the store lacks, older than the position
  stale_list,         ///< a list older than what was seen before
  bad_list,           ///< a list that cannot be decoded, or that does not end
};
[[nodiscard]] boost::system::error_code make_error_code(cache_error e);

/// One word for a metric label, of a kube_error or a cache_error; "other" for the rest.
[[nodiscard]] std::string_view reason_of(const boost::system::error_code& code);

}  // namespace oarlock::cache

template <>
struct boost::system::is_error_code_enum<oarlock::cache::cache_error> : std::true_type {};
