#pragma once
#include <boost/system/error_code.hpp>

#include <string>
#include <type_traits>

#include "core/base/result.hpp"

namespace oarlock::controller {

enum class controller_error {
  invalid_intent = 1,  ///< a plugin asked for a child that it may not or cannot have
  name_taken,          ///< the child's name belongs to an object that is not ours
  changed_meanwhile,   ///< the object is not the one that was read: look again
  panicked,            ///< an exception where none may come from
  effect_failed,       ///< the plugin says so, or its outcome is unknown: try again
  effect_refused,      ///< the plugin says that it fails again until the object changes
};
[[nodiscard]] boost::system::error_code make_error_code(controller_error e);

/// The CamelCase reason of an error for conditions and events: "Forbidden", "Conflict", ...
[[nodiscard]] std::string reason_of(const error& e);
/// True when only a person or a changed object can help: the error belongs into Stalled. Otherwise
/// trying again may help, and it belongs into Reconciling.
[[nodiscard]] bool needs_a_person(const error& e);

}  // namespace oarlock::controller

template <>
struct boost::system::is_error_code_enum<oarlock::controller::controller_error> : std::true_type {};
