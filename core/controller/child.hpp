#pragma once
// One child of a primary: what is sent for it, and whether it has to be sent. Pure functions.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/cache/object.hpp"
#include "core/controller/reconciler.hpp"
#include "core/controller/spec.hpp"

namespace oarlock::controller {

inline constexpr std::string_view applied_annotation = "oarlock.dev/applied";
inline constexpr std::string_view managed_by_label = "app.kubernetes.io/managed-by";
inline constexpr std::string_view managed_by_value = "oarlock";

/// An intent made complete: namespace, owner reference, ownership label and the applied hash are on
/// it, and it is the body of a server-side apply.
struct child {
  kube::resource resource;
  cache::object_key key;
  std::uint32_t group = 0;
  std::string body;
  std::string hash;  ///< of the intent: a dropped field changes it

  /// "Deployment default/web": for events, conditions and logs.
  [[nodiscard]] std::string title() const { return resource.kind + " " + key.text(); }
};

/// Completes `wanted` for `primary`. Fails when it names no kind of `spec.owns` or
/// `spec.owns_uncached`, has no name, or names another namespace than the primary's: an owner lives
/// in its children's namespace.
[[nodiscard]] result<child> complete_child(const intent& wanted, const controller_spec& spec,
                                           const cache::object& primary);

enum class child_action {
  none,      ///< it is there as wanted
  create,    ///< the cache has no such object
  update,    ///< it is ours and differs
  conflict,  ///< the name belongs to somebody else
  ask,       ///< the kind is not cached: the server's object of that name decides
};

/// What to do about `wanted`, given the cached object of that name. Ours is what the primary
/// controls by UID. A write is needed when the applied hash differs (this is how a dropped field is
/// removed) or when a wanted value is missing from the live object.
[[nodiscard]] child_action decide_child(const child& wanted, const cache::object* live,
                                        const cache::object& primary);

/// The same for a kind that is not cached: only ownership and the applied hash count, because what
/// is read of it may not be what is written (Secret.stringData).
[[nodiscard]] child_action decide_uncached(const child& wanted, const cache::object& live,
                                           const cache::object& primary);

/// Puts the UID of the live object into the body: the server refuses the write (409 or 422) when
/// the name has gone to another object since it was read.
void guard_by_uid(child& wanted, const std::string& uid);

/// Makes an apply of the body one that only creates: it names a version that no object has, so the
/// server answers 409 when there is one of that name, and leaves it alone.
void create_only(child& wanted);

/// True when the primary controls `live` by UID.
[[nodiscard]] bool controls(const cache::object& primary, const cache::object& live);

/// "oarlock-<plugin>" and "oarlock-<plugin>-status".
[[nodiscard]] std::string field_manager(const controller_spec& spec);
[[nodiscard]] std::string status_field_manager(const controller_spec& spec);

}  // namespace oarlock::controller
