#pragma once
#include <boost/system/error_code.hpp>

#include <type_traits>

namespace oarlock::metrics {

enum class metrics_error {
  /// A bind address that is no host:port.
  bad_address = 1,
  /// The socket could not be bound or listened on.
  cannot_listen,
  /// A certificate or key that cannot be read, parsed or that do not belong together.
  bad_certificate,
};
[[nodiscard]] boost::system::error_code make_error_code(metrics_error e);

}  // namespace oarlock::metrics

template <>
struct boost::system::is_error_code_enum<oarlock::metrics::metrics_error> : std::true_type {};
