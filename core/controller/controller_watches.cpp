// What comes in: changes to keys, and a key to the inputs of its plan.
#include "core/controller/controller_state.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <set>

#include "core/base/mutant.hpp"
#include "core/json/parse.hpp"

namespace oarlock::controller {

namespace {

// A change of the primary that calls for a new plan. Its own status does not.
bool is_relevant(const cache::change& c) {
  if (!c.before || !c.after || c.initial) return true;
  const auto& before = c.before->meta();
  const auto& after = c.after->meta();
  return before.generation != after.generation || before.deleting != after.deleting ||
         before.labels != after.labels || before.annotations != after.annotations ||
         before.finalizers != after.finalizers;
}

// A start brings up every object; what somebody changed goes before that.
priority priority_of(const cache::change& c) {
  const bool at_start = c.initial && !c.before && !OARLOCK_MUTANT("start_goes_first");
  return at_start ? priority::low : priority::normal;
}

}  // namespace

void controller::state::join_watches() {
  watch_primary();
  for (const auto& owned : spec.owns)
    watch_owned(owned);
  for (const auto& other : spec.watches)
    watch_other(other);
  const std::weak_ptr<state> weak = weak_from_this();
  for (const auto& s : subscriptions) {
    epochs.push_back(s->view().epoch());
    s->when_moved([weak] {
      if (const auto self = weak.lock()) self->note_position();
    });
  }
  report_cache_size();
  report_running();
}

void controller::state::watch_primary() {
  const std::weak_ptr<state> weak = weak_from_this();
  cache::index_set lookups;
  for (const auto& w : spec.watches) {
    if (!w.map_by_pointer.empty()) lookups.pointers.push_back(w.map_by_pointer);
  }
  subscriptions.push_back(parts_.cache->acquire(
      {spec.primary, spec.ns, {}}, lookups,
      [weak](const cache::change& c) {
        const auto self = weak.lock();
        if (!self) return;
        const auto& key = (c.after ? c.after : c.before)->meta().key;
        if (c.initial && !c.before) self->unproven.insert(key);
        if (is_relevant(c) || self->put_off.contains(key)) {
          self->enqueue(key, priority_of(c));
        } else {
          self->note_other_change(key, c);
        }
      },
      parts_.tenant));
}

// A status that this process did not write, or whose answer it never got: what it says now may not
// be what the last plan wanted, unless it is about what others say beside it.
void controller::state::note_other_change(const cache::object_key& key, const cache::change& c) {
  if (!leading || OARLOCK_MUTANT("foreign_status_ignored")) return;
  if (queue.is_processing(key)) {
    unclaimed.try_emplace(key, c).first->second.after = c.after;
  } else if (is_to_be_put_right(key, c)) {
    enqueue(key, priority::normal);
  }
}

bool controller::state::is_to_be_put_right(const cache::object_key& key,
                                           const cache::change& c) const {
  if (writes.wrote(key, primaries(), c.after->meta().resource_version)) return false;
  return terms.touched(*c.before, *c.after) || OARLOCK_MUTANT("every_status_is_ours");
}

// A cache has moved on. The change that moved it comes first: it may bring up the same key.
void controller::state::note_position() {
  if (put_off.empty() || looks_at_positions) return;
  looks_at_positions = true;
  boost::asio::post(parts_.loop, [self = shared_from_this()] {
    self->looks_at_positions = false;
    self->wake_put_off();
  });
}

void controller::state::wake_put_off() {
  if (draining || !leading) return;  // who comes to lead plans for every key
  const auto before = rewinds;
  note_rewinds();
  std::vector<cache::object_key> concerned;
  if (rewinds != before) concerned.assign(put_off.begin(), put_off.end());
  for (const auto& s : subscriptions) {
    const auto more = writes.reached(s->view());
    concerned.insert(concerned.end(), more.begin(), more.end());
  }
  for (const auto& key : concerned) {
    if (put_off.contains(key) && !queue.is_processing(key)) enqueue(key, priority::normal);
  }
}

void controller::state::watch_owned(const kube::resource& r) {
  const std::weak_ptr<state> weak = weak_from_this();
  subscriptions.push_back(parts_.cache->acquire(
      {r, spec.ns, {}}, {},
      [weak](const cache::change& c) {
        const auto self = weak.lock();
        if (!self) return;
        std::set<cache::object_key> concerned;
        self->add_owner(c.before, concerned);
        self->add_owner(c.after, concerned);
        for (const auto& key : concerned)
          self->enqueue(key, priority_of(c));
      },
      parts_.tenant));
}

void controller::state::add_owner(const cache::object_ptr& child,
                                  std::set<cache::object_key>& concerned) const {
  const auto* owner = child ? child->meta().controller() : nullptr;
  // What others of the same kind own is none of ours: plugins do not wake each other.
  const bool ours = owner != nullptr && owner->kind == spec.primary.kind &&
                    owner->api_version == spec.primary.api_version();
  if (owner == nullptr || (!ours && !OARLOCK_MUTANT("any_owner_is_ours"))) return;
  concerned.insert({spec.primary.namespaced ? child->meta().key.ns : "", owner->name});
}

// Moving from one primary to another counts, whatever the predicates say.
bool controller::state::passes(const watch_spec& w, const cache::change& c) const {
  const bool any = !w.on_generation && !w.on_labels && !w.on_annotations;
  if (any || !c.before || !c.after || cache::is_redecoded(c)) return true;
  const auto& before = c.before->meta();
  const auto& after = c.after->meta();
  const auto label = [&](const cache::object_meta& meta) {
    const auto found = meta.labels.find(w.map_by_label);
    return found == meta.labels.end() ? std::string() : found->second;
  };
  const auto owners = [](const cache::object_meta& meta) {
    std::set<std::string> uids;
    for (const auto& owner : meta.owners)
      uids.insert(owner.uid);
    return uids;
  };
  return (w.on_generation && before.generation != after.generation) ||
         (w.on_labels && before.labels != after.labels) ||
         (w.on_annotations && before.annotations != after.annotations) ||
         before.deleting != after.deleting ||
         (!w.map_by_label.empty() && label(before) != label(after)) ||
         (w.map_by_owner && owners(before) != owners(after));
}

void controller::state::add_mapped(const watch_spec& w, const cache::object_ptr& other,
                                   std::set<cache::object_key>& concerned) {
  if (!other) return;
  const auto& meta = other->meta();
  if (!w.map_by_pointer.empty()) {
    for (const auto& primary :
         primaries().with_value(meta.key.ns, w.map_by_pointer, meta.key.name)) {
      concerned.insert(primary->meta().key);
    }
    return;
  }
  if (w.map_by_owner) {
    for (const auto& owner : meta.owners) {
      const cache::object_key key{spec.primary.namespaced ? meta.key.ns : "", owner.name};
      const auto primary = primaries().get(key);
      if (primary && primary->meta().uid == owner.uid) concerned.insert(key);
    }
    return;
  }
  const auto found = meta.labels.find(w.map_by_label);
  if (found == meta.labels.end()) return;
  const cache::object_key key{meta.key.ns, found->second};
  if (primaries().get(key)) concerned.insert(key);
}

void controller::state::watch_other(const watch_spec& w) {
  const std::weak_ptr<state> weak = weak_from_this();
  cache::index_set lookups;
  if (!w.map_by_label.empty()) lookups.labels.push_back(w.map_by_label);
  // Old and new: an object that moves from one primary to another concerns both. Each key once: a
  // worker may have taken it before the second time, which would be a second plan.
  subscriptions.push_back(parts_.cache->acquire(
      {w.resource, spec.ns, w.label_selector}, lookups,
      [weak, w](const cache::change& c) {
        const auto self = weak.lock();
        if (!self || !self->passes(w, c)) return;
        std::set<cache::object_key> concerned;
        if (!OARLOCK_MUTANT("old_target_forgotten")) self->add_mapped(w, c.before, concerned);
        self->add_mapped(w, c.after, concerned);
        for (const auto& key : concerned)
          self->enqueue(key, priority_of(c));
      },
      parts_.tenant));
}

void controller::state::report_cache_size() {
  struct row {
    gauge* objects;
    gauge* bytes;
    std::size_t index;
  };
  std::vector<row> rows;
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    const metric_labels labels{{"plugin", spec.plugin},
                               {"controller", spec.name},
                               {"resource", subscriptions[i]->view().what().resource.name()}};
    rows.push_back(
        {&parts_.metrics->make_gauge("oarlock_plugin_cache_objects",
                                     "Objects in the shared cache that a plugin reads", labels),
         &parts_.metrics->make_gauge("oarlock_plugin_cache_bytes",
                                     "Bytes of the objects that a plugin reads", labels),
         i});
  }
  const std::weak_ptr<state> weak = weak_from_this();
  parts_.metrics->before_scrape([weak, rows] {
    const auto self = weak.lock();
    if (!self) return;
    self->watching.with([&](bool still) {
      if (!still) return;
      for (const auto& r : rows) {
        const auto& view = self->subscriptions[r.index]->view();
        r.objects->set(static_cast<double>(view.object_count()));
        r.bytes->set(static_cast<double>(view.object_bytes()));
      }
    });
  });
  watching.with([](bool& now_watching) { now_watching = true; });
}

bool controller::state::synced() const {
  return std::all_of(subscriptions.begin(), subscriptions.end(),
                     [](const auto& s) { return s->view().synced(); });
}

child_lookup controller::state::children() const {
  child_lookup found;
  for (std::size_t i = 0; i < spec.owns.size(); ++i) {
    found.emplace_back(spec.owns[i], &subscriptions[1 + i]->view());
  }
  for (std::size_t i = 0; i < spec.watches.size(); ++i) {
    const auto& watched = spec.watches[i];
    if (!watched.may_patch && !watched.may_delete) continue;
    found.emplace_back(watched.resource, &subscriptions[1 + spec.owns.size() + i]->view());
  }
  return found;
}

std::optional<std::vector<cache::object_ptr>> controller::state::list_cached(
    std::string_view resource, std::string_view ns, std::string_view owner_uid) const {
  const auto found = std::find_if(subscriptions.begin(), subscriptions.end(), [&](const auto& s) {
    return s->view().what().resource.name() == resource;
  });
  if (found == subscriptions.end()) return std::nullopt;
  auto& view = (*found)->view();
  if (owner_uid.empty()) return view.list(ns);
  auto owned = view.owned_by(owner_uid);
  std::erase_if(owned, [&](const auto& o) { return !ns.empty() && o->meta().key.ns != ns; });
  return owned;
}

plan_input controller::state::gather(const cache::object_key& key, cache::object_ptr primary) {
  plan_input input;
  input.spec = &spec;
  input.key = key;
  input.cache = this;
  input.now = parts_.clock_source->wall_now();
  for (std::size_t i = 0; i < spec.owns.size(); ++i) {
    for (auto& child : subscriptions[1 + i]->view().owned_by(primary->meta().uid)) {
      if (child->meta().key.ns == key.ns) input.owned.push_back({&spec.owns[i], std::move(child)});
    }
  }
  for (std::size_t i = 0; i < spec.watches.size(); ++i) {
    const auto& watched = spec.watches[i];
    auto& view = subscriptions[1 + spec.owns.size() + i]->view();
    std::vector<cache::object_ptr> found;
    if (watched.map_by_owner) {
      found = view.owned_by(primary->meta().uid);
    } else if (!watched.map_by_pointer.empty()) {
      const auto parsed = json::parse(primary->json());
      const auto name =
          parsed ? json::string_at(*parsed, watched.map_by_pointer) : std::string_view();
      if (auto other = view.get({key.ns, std::string(name)})) found.push_back(std::move(other));
    } else {
      found = view.labelled(key.ns, watched.map_by_label, key.name);
    }
    for (auto& other : found)
      input.watched.push_back({&watched.resource, std::move(other)});
  }
  input.deleting = primary->meta().deleting;
  const auto failed = last_failures.find(key);
  if (failed != last_failures.end()) input.last_failure = failed->second;
  input.notes = of_pods.of(key, primary->meta().uid);
  if (parts_.inbound != nullptr) input.inbound = *parts_.inbound;
  input.primary = std::move(primary);
  return input;
}

}  // namespace oarlock::controller
