#include "core/controller/reconcile.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/controller/errors.hpp"

namespace oarlock::controller {

namespace {

using child_id = std::pair<kube::resource, cache::object_key>;

const cache::informer* informer_of(const child_lookup& children, const kube::resource& r) {
  const auto found = std::find_if(children.begin(), children.end(),
                                  [&](const auto& entry) { return entry.first == r; });
  return found == children.end() ? nullptr : found->second;
}

bool is_labelled_ours(const cache::object& live) {
  const auto& labels = live.meta().labels;
  const auto found = labels.find(std::string(managed_by_label));
  return found != labels.end() && found->second == managed_by_value;
}

// Owned children that are ours by UID and label, and that the plan does not want. While the primary
// is being deleted none is pruned: what a plan does not name then is left to garbage collection.
void collect_deletes(const plan_input& input, const std::set<child_id>& wanted, work& out) {
  if (input.deleting) return;
  for (const auto& [resource, live] : input.owned) {
    if (live->meta().deleting || !controls(*input.primary, *live) || !is_labelled_ours(*live)) {
      continue;
    }
    if (!wanted.contains({*resource, live->meta().key})) out.deletes.push_back({*resource, live});
  }
}

}  // namespace

work make_work(reconciler& decide, const plan_input& input, const child_lookup& children) {
  work out;
  out.plan = decide.plan(input);
  if (out.plan.verdict != plan_verdict::done) return out;
  std::set<child_id> wanted;
  for (const auto& intent : out.plan.apply_set) {
    auto made = complete_child(intent, *input.spec, *input.primary);
    if (!made) {
      out.refused = made.error();
      return out;
    }
    if (!wanted.emplace(made->resource, made->key).second) {
      out.refused = error{controller_error::invalid_intent,
                          "expected each child once, found " + made->title() + " twice"};
      return out;
    }
    const auto* informer = informer_of(children, made->resource);
    auto live = informer == nullptr ? nullptr : informer->get(made->key);
    const auto action = decide_child(*made, live.get(), *input.primary);
    if (action == child_action::none) continue;
    if (action == child_action::update) guard_by_uid(*made, live->meta().uid);
    out.writes.push_back({std::move(*made), action, std::move(live)});
  }
  std::sort(out.writes.begin(), out.writes.end(), [](const auto& a, const auto& b) {
    return std::tie(a.wanted.group, a.wanted.key) < std::tie(b.wanted.group, b.wanted.key);
  });
  collect_deletes(input, wanted, out);
  return out;
}

}  // namespace oarlock::controller
