#include "core/plugin/grants.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <string_view>
#include <utility>

namespace oarlock::plugin {

namespace {

constexpr std::array<std::string_view, 7> order = {"get",    "list",  "watch", "create",
                                                   "update", "patch", "delete"};
constexpr std::initializer_list<std::string_view> reads = {"get", "list", "watch"};

// Collects verbs by resource; what is asked for twice is one grant.
class grant_set {
 public:
  void add(const kube::resource& r, std::string_view subresource,
           std::initializer_list<std::string_view> verbs) {
    auto name = r.plural;
    if (!subresource.empty()) name.append("/").append(subresource);
    auto& one = grants_[{r.group, name}];
    one.group = r.group;
    one.resource = std::move(name);
    one.namespaced = one.verbs.empty() ? r.namespaced : one.namespaced && r.namespaced;
    one.verbs.insert(one.verbs.end(), verbs.begin(), verbs.end());
  }

  [[nodiscard]] std::vector<grant> take() {
    std::vector<grant> out;
    for (auto& entry : grants_) {
      auto& one = entry.second;
      const auto asked = std::exchange(one.verbs, {});
      for (const auto verb : order) {
        const bool wanted = std::find(asked.begin(), asked.end(), verb) != asked.end();
        if (wanted) one.verbs.emplace_back(verb);
      }
      out.push_back(std::move(one));
    }
    return out;
  }

 private:
  std::map<std::pair<std::string, std::string>, grant> grants_;
};

void add_reads(const controller::controller_spec& c, grant_set& set) {
  set.add(c.primary, {}, reads);
  for (const auto& owned : c.owns)
    set.add(owned, {}, reads);
  for (const auto& watched : c.watches)
    set.add(watched.resource, {}, reads);
}

void add_writes(const controller::controller_spec& c, grant_set& set) {
  set.add(c.primary, "status", {"patch"});
  if (c.finalizer) set.add(c.primary, {}, {"patch"});
  // Where OwnerReferencesPermissionEnforcement is on, a child that blocks the deletion of its owner
  // takes the right to set the owner's finalizers.
  const bool has_children = !c.owns.empty() || !c.owns_uncached.empty();
  if (has_children) set.add(c.primary, "finalizers", {"update"});
  for (const auto& owned : c.owns)
    set.add(owned, {}, {"create", "patch", "delete"});
  // Read by name when they are written, and never listed.
  for (const auto& owned : c.owns_uncached)
    set.add(owned, {}, {"get", "create", "patch", "delete"});
  for (const auto& live : c.reads)
    set.add(live.resource, {}, {"get"});
  for (const auto& watched : c.watches) {
    if (watched.may_patch) set.add(watched.resource, {}, {"patch"});
    if (watched.may_delete) set.add(watched.resource, {}, {"delete"});
  }
  // The event about an object without a namespace is in the namespace `default`: a cluster's right.
  kube::resource events{"events.k8s.io", "v1", "Event", "events", c.primary.namespaced};
  set.add(events, {}, {"create", "patch"});
}

}  // namespace

std::vector<grant> plugin_grants(const manifest& declared) {
  grant_set set;
  for (const auto& c : declared.controllers) {
    add_reads(c, set);
    add_writes(c, set);
  }
  return set.take();
}

std::vector<grant> read_grants(const manifest& declared) {
  grant_set set;
  for (const auto& c : declared.controllers)
    add_reads(c, set);
  return set.take();
}

std::string service_account_name(const std::string& plugin) {
  return "oarlock-plugin-" + plugin;
}

}  // namespace oarlock::plugin
