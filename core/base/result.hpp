#pragma once
// result<T>: how functions of the core fail across module edges. Exceptions stop at the Asio edge.
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace oarlock {

/// Why a call failed: a code of the failing module's own enum, for decisions, and a sentence for
/// people (what was expected, what was found, what to do).
struct error {
  boost::system::error_code code;
  std::string message;
  /// How long the server asked the caller to wait, if it did.
  std::optional<std::chrono::milliseconds> retry_after = {};

  /// The sentence with context put in front: "read plugin.yaml: expected ...".
  [[nodiscard]] error within(const std::string& context) const {
    return {code, context + ": " + message, retry_after};
  }
};

template <class T = void>
using result = boost::system::result<T, error>;

/// Called by result<T>::value() on an error: a bug in the caller, who should have looked.
[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);

}  // namespace oarlock
