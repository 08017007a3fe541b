#include "core/controller/own_writes.hpp"

#include <algorithm>

namespace oarlock::controller {

void own_writes::expect_version(const cache::object_key& key, const cache::informer& where,
                                std::string version) {
  waiting_[key].push_back({&where, std::move(version), {}, {}, {}});
}

void own_writes::expect_gone(const cache::object_key& key, const cache::informer& where,
                             cache::object_key what, std::string uid) {
  waiting_[key].push_back({&where, {}, std::move(what), std::move(uid), {}});
}

void own_writes::expect_released(const cache::object_key& key, const cache::informer& where,
                                 std::string uid, std::string finalizer) {
  waiting_[key].push_back({&where, {}, key, std::move(uid), std::move(finalizer)});
}

void own_writes::forget_all_in(const cache::informer& where) {
  for (auto& [key, expectations] : waiting_) {
    std::erase_if(expectations, [&where](const expectation& e) { return e.where == &where; });
  }
  awaited_.erase(&where);
}

bool own_writes::met(const expectation& e) {
  if (e.version.empty()) {
    const auto live = e.where->get(e.what);
    if (!live || live->meta().uid != e.uid) return true;
    if (e.finalizer.empty()) return live->meta().deleting;
    const auto& held_by = live->meta().finalizers;
    return std::find(held_by.begin(), held_by.end(), e.finalizer) == held_by.end();
  }
  const auto order = cache::compare_versions(e.where->seen_version(), e.version);
  return !order || *order >= 0;
}

bool own_writes::wrote(const cache::object_key& key, const cache::informer& where,
                       const std::string& version) const {
  const auto found = waiting_.find(key);
  if (found == waiting_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const expectation& e) {
    return e.where == &where && e.version == version;
  });
}

bool own_writes::wrote_outside(const cache::object_key& key, const cache::informer& where) const {
  const auto found = waiting_.find(key);
  if (found == waiting_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(),
                     [&where](const expectation& e) { return e.where != &where; });
}

bool own_writes::wait(const cache::object_key& key) {
  const auto found = waiting_.find(key);
  if (found == waiting_.end()) return false;
  for (const auto& e : found->second) {
    if (e.version.empty() || met(e)) continue;
    awaited_[e.where][e.version].insert(key);
    return true;
  }
  return false;
}

std::vector<cache::object_key> own_writes::reached(const cache::informer& where) {
  std::vector<cache::object_key> out;
  const auto found = awaited_.find(&where);
  if (found == awaited_.end()) return out;
  const auto end = found->second.upper_bound(where.seen_version());
  for (auto at = found->second.begin(); at != end; at = found->second.erase(at))
    out.insert(out.end(), at->second.begin(), at->second.end());
  if (found->second.empty()) awaited_.erase(found);
  return out;
}

bool own_writes::seen(const cache::object_key& key) {
  const auto found = waiting_.find(key);
  if (found == waiting_.end()) return true;
  std::erase_if(found->second, met);
  if (!found->second.empty()) return false;
  waiting_.erase(found);
  return true;
}

}  // namespace oarlock::controller
