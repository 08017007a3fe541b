#pragma once
// The finalizer of a controller that declares one: `oarlock.dev/<plugin>` on the primary. It is
// added in a write of its own before anything else is done for the object, and removed only after
// the plugin has said that it is finished and the steps of that plan are known to have happened.
#include <string>

#include "core/cache/object.hpp"
#include "core/controller/spec.hpp"

namespace oarlock::controller {

[[nodiscard]] std::string finalizer_name(const controller_spec& spec);
[[nodiscard]] bool has_finalizer(const controller_spec& spec, const cache::object& primary);

/// JSON patches (RFC 6902) that test first: the object is the one that was read, and its list of
/// finalizers is what it was. A test that fails is answered with 422 and nothing is written.
[[nodiscard]] std::string add_finalizer_patch(const controller_spec& spec,
                                              const cache::object& primary);
/// `primary` has the finalizer.
[[nodiscard]] std::string remove_finalizer_patch(const controller_spec& spec,
                                                 const cache::object& primary);

}  // namespace oarlock::controller
