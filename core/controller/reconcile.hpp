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
#include "core/controller/step_work.hpp"

namespace oarlock::controller {

struct work {
  plan_output plan;
  std::vector<step_work> steps;  ///< in order; those that have nothing to do are not in it
  std::optional<error> refused;  ///< the plan asked for something it may not have
};

/// Looks up the cached object of a name, whoever owns it: of kinds that plans may write.
using child_lookup = std::vector<std::pair<kube::resource, const cache::informer*>>;

/// Thread: a worker of the plugin's lane.
[[nodiscard]] work make_work(reconciler& decide, const plan_input& input,
                             const child_lookup& children);

}  // namespace oarlock::controller
