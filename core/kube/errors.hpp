#pragma once
// How the API server refuses, as one enum: callers decide on it, people read error::message.
#include <boost/system/error_code.hpp>

#include <string_view>
#include <type_traits>

#include "core/base/result.hpp"
#include "core/net/transport.hpp"

namespace oarlock::kube {

enum class kube_error {
  conflict = 1,       ///< 409: the resourceVersion, UID or a field manager disagrees
  already_exists,     ///< 409 with reason AlreadyExists
  gone,               ///< 410, or an ERROR event with code 410: the version is compacted
  version_too_large,  ///< 504 with cause ResourceVersionTooLarge: the server is behind
  throttled,          ///< 429
  unauthorized,       ///< 401
  forbidden,          ///< 403
  not_found,          ///< 404
  invalid,            ///< 400, 413, 415, 422: sending it again does not help
  unavailable,        ///< 5xx, or nothing was sent: sending it again may help
  unknown_outcome,    ///< a write was sent and its answer lost: read before writing again
  bad_answer,         ///< the answer is not what the API promises
  cancelled,          ///< the caller stopped
  untrusted,          ///< nothing was sent: the server's certificate is not trusted
  not_declared,       ///< refused here, nothing was sent: the plugin's manifest does not declare it
  over_quota,  ///< refused here, nothing was sent: the plugin's quota lasted past the deadline
};
[[nodiscard]] boost::system::error_code make_error_code(kube_error e);

/// Turns a non-2xx answer into an error. `body` may be a Status object or plain text.
[[nodiscard]] error decode_status(int http_status, std::string_view body,
                                  std::string_view retry_after_header);
/// Turns a transport failure into an error; `is_write` decides between unavailable and
/// unknown_outcome.
[[nodiscard]] error from_net(const error& e, bool is_write);

}  // namespace oarlock::kube

template <>
struct boost::system::is_error_code_enum<oarlock::kube::kube_error> : std::true_type {};
