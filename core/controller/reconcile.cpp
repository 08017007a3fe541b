#include "core/controller/reconcile.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/base/mutant.hpp"
#include "core/controller/errors.hpp"
#include "core/controller/patch.hpp"
#include "core/controller/status.hpp"

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

bool is_in(const std::vector<kube::resource>& list, const kube::resource& r) {
  return std::find(list.begin(), list.end(), r) != list.end();
}

error refusal(std::string message) {
  return {controller_error::invalid_intent, std::move(message)};
}

// Turns a plan into what is left to be done.
class drafting {
 public:
  drafting(const plan_input& input, const child_lookup& children, work& out)
      : input_(input), spec_(*input.spec), children_(children), out_(out) {}

  void run() {
    const auto& plan = out_.plan;
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      if (i == plan.steps_before_apply_set) apply_at_ = out_.steps.size();
      std::visit([this](const auto& step) { add(step); }, plan.steps[i]);
    }
    apply_set();
  }

 private:
  // The child and what to do about it, or nothing when it is as wanted or refused.
  std::optional<child_write> draft(const intent& wanted, bool once) {
    auto made = complete_child(wanted, spec_, *input_.primary);
    if (!made) {
      refuse(made.error());
      return {};
    }
    if (!named_.emplace(made->resource, made->key).second) {
      refuse(refusal("expected each child once, found " + made->title() + " twice"));
      return {};
    }
    if (is_in(spec_.owns_uncached, made->resource)) {
      return child_write{std::move(*made), child_action::ask, {}};
    }
    const auto* informer = informer_of(children_, made->resource);
    auto live = informer == nullptr ? nullptr : informer->get(made->key);
    auto action = decide_child(*made, live.get(), *input_.primary);
    if (once && action == child_action::update && !OARLOCK_MUTANT("created_once_is_updated")) {
      action = child_action::none;
    }
    if (action == child_action::none) return {};
    if (action == child_action::update) guard_by_uid(*made, live->meta().uid);
    return child_write{std::move(*made), action, std::move(live)};
  }

  void apply_set() {
    apply_work set;
    for (const auto& intent : out_.plan.apply_set) {
      if (auto write = draft(intent, false)) set.writes.push_back(std::move(*write));
    }
    std::sort(set.writes.begin(), set.writes.end(), [](const auto& a, const auto& b) {
      return std::tie(a.wanted.group, a.wanted.key) < std::tie(b.wanted.group, b.wanted.key);
    });
    prune(set);
    if (out_.refused || (set.writes.empty() && set.deletes.empty())) return;
    const auto at = std::min(apply_at_.value_or(out_.steps.size()), out_.steps.size());
    out_.steps.insert(out_.steps.begin() + static_cast<std::ptrdiff_t>(at), std::move(set));
  }

  // Owned children that are ours by UID and label, and that the plan does not name. While the
  // primary is being deleted none is pruned: garbage collection takes what the plan does not name.
  void prune(apply_work& set) {
    if (input_.deleting) return;
    for (const auto& [resource, live] : input_.owned) {
      if (live->meta().deleting || !controls(*input_.primary, *live) || !is_labelled_ours(*live)) {
        continue;
      }
      if (!named_.contains({*resource, live->meta().key})) set.deletes.push_back({*resource, live});
    }
  }

  void add(const create_once& step) {
    if (auto write = draft({0, step.json}, true)) {
      out_.steps.emplace_back(create_work{std::move(*write)});
    }
  }

  void add(const patch_existing& step) {
    auto live = look_up(step.target);
    if (live && !may_touch(step.target, *live)) return;
    auto made = complete_patch(step, spec_, input_.key.ns, live.get());
    if (!made) return refuse(made.error());
    if (!made->empty()) {
      out_.steps.emplace_back(
          patch_work{step.target, step.merge, std::move(*made), std::move(live)});
    }
  }

  void add(const delete_object& step) {
    named_.emplace(step.target.resource, key_of(step.target));
    const bool cached = informer_of(children_, step.target.resource) != nullptr;
    auto live = look_up(step.target);
    // Gone, on its way, or another object: what was to be deleted is.
    if (cached && (!live || live->meta().deleting || live->meta().uid != step.target.uid)) return;
    if (live && !may_touch(step.target, *live)) return;
    out_.steps.emplace_back(delete_work{step, std::move(live), owns(step.target.resource)});
  }

  void add(const status_swap& step) {
    auto body = render_status_swap(spec_, *input_.primary, step);
    if (!body) return refuse(body.error());
    if (*body) out_.steps.emplace_back(status_work{std::move(**body)});
  }

  void add(const plugin_effect& step) {
    out_.steps.emplace_back(effect_work{step, out_.plan.observation});
  }

  [[nodiscard]] cache::object_key key_of(const step_target& target) const {
    return {target.resource.namespaced ? input_.key.ns : "", target.name};
  }
  [[nodiscard]] cache::object_ptr look_up(const step_target& target) const {
    const auto* informer = informer_of(children_, target.resource);
    return informer == nullptr ? nullptr : informer->get(key_of(target));
  }
  [[nodiscard]] bool owns(const kube::resource& r) const {
    return is_in(spec_.owns, r) || is_in(spec_.owns_uncached, r);
  }
  // Of a kind under `owns` only the primary's own children.
  bool may_touch(const step_target& target, const cache::object& live) {
    if (!owns(target.resource) || live.meta().uid != target.uid) return true;
    if (controls(*input_.primary, live)) return true;
    refuse({controller_error::name_taken, "expected " + target.resource.kind + " " + target.name +
                                              " to be a child of this object, found one of "
                                              "somebody else: leave it alone"});
    return false;
  }
  void refuse(error why) {
    if (!out_.refused) out_.refused = std::move(why);
  }

  const plan_input& input_;
  const controller_spec& spec_;
  const child_lookup& children_;
  work& out_;
  std::set<child_id> named_;
  std::optional<std::size_t> apply_at_;
};

}  // namespace

work make_work(reconciler& decide, const plan_input& input, const child_lookup& children) {
  const log_scope said(input.log);
  work out;
  out.plan = decide.plan(input);
  if (out.plan.verdict == plan_verdict::done) drafting(input, children, out).run();
  if (out.refused) out.steps.clear();
  return out;
}

}  // namespace oarlock::controller
