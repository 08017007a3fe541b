#pragma once
// What is left to be carried out of a plan: its steps, compared with the cache. Made on a lane by
// reconcile.hpp, carried out on the loop by steps.hpp.
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/controller/child.hpp"
#include "core/controller/reconciler.hpp"

namespace oarlock::controller {

struct child_write {
  child wanted;
  child_action action = child_action::none;
  cache::object_ptr live;  ///< as the cache has it; null for a create
};

/// An owned child that no plan mentions any more.
struct child_delete {
  kube::resource resource;
  cache::object_ptr live;
};

/// The apply set, without the children that are as wanted.
struct apply_work {
  std::vector<child_write> writes;  ///< by group
  std::vector<child_delete> deletes;
};
struct create_work {
  child_write write;
};
struct patch_work {
  step_target target;
  bool merge = false;
  std::string body;
  cache::object_ptr live;  ///< as the cache has it; may be null
};
struct delete_work {
  delete_object what;
  cache::object_ptr live;      ///< as the cache has it; null: read from the server first
  bool must_be_child = false;  ///< of a kind under `owns`
};
struct status_work {
  std::string body;
};
struct effect_work {
  plugin_effect what;
  std::shared_ptr<const std::string> observation;
};
using step_work =
    std::variant<apply_work, create_work, patch_work, delete_work, status_work, effect_work>;

/// "patch Pod ns/web-0": names a step in last_failure, events and logs.
[[nodiscard]] inline std::string title_of(const char* verb, const step_target& target,
                                          const std::string& ns) {
  return std::string(verb) + " " + target.resource.kind + " " +
         cache::object_key{target.resource.namespaced ? ns : "", target.name}.text();
}

}  // namespace oarlock::controller
