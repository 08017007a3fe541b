#pragma once
// The body of a patch step. Pure.
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/cache/object.hpp"
#include "core/controller/reconciler.hpp"
#include "core/controller/spec.hpp"

namespace oarlock::controller {

/// Marks what this plugin applied last to an object that is not its child.
[[nodiscard]] std::string patched_annotation(const controller_spec& spec);

/// What is sent: the patch with the UID (and the version, if the step names one) of the object it
/// is for, so that the server refuses it for any other and never makes one. Empty when `live`, the
/// cached object of that name, already says all of it.
[[nodiscard]] result<std::string> complete_patch(const patch_existing& step,
                                                 const controller_spec& spec, const std::string& ns,
                                                 const cache::object* live);

}  // namespace oarlock::controller
