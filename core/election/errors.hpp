#pragma once
#include <boost/system/error_code.hpp>

#include <type_traits>

namespace oarlock::election {

enum class election_error {
  /// The write window is closed: another process may hold the lease.
  not_leading = 1,
  /// The Lease object is not what coordination.k8s.io/v1 promises.
  bad_lease,
};
[[nodiscard]] boost::system::error_code make_error_code(election_error e);

}  // namespace oarlock::election

template <>
struct boost::system::is_error_code_enum<oarlock::election::election_error> : std::true_type {};
