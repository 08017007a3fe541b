#pragma once
// The pure half of a reconcile, for the worker threads: ask the plugin, complete its children,
// compare them with the cache. What comes out is carried out by steps.hpp on the loop.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/cache/informer_cache.hpp"
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

struct work {
  plan_output plan;
  std::vector<child_write> writes;  ///< by group; nothing to do for a child: not in it
  std::vector<child_delete> deletes;
  std::optional<error> refused;  ///< the plan asked for something it may not have
};

/// Looks up the cached object of a child's name, whoever owns it.
using child_lookup = std::vector<std::pair<kube::resource, const cache::informer*>>;

/// Thread: a worker of the plugin's lane.
[[nodiscard]] work make_work(reconciler& decide, const plan_input& input,
                             const child_lookup& children);

}  // namespace oarlock::controller
