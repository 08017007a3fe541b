#pragma once
// Server-side apply: who owns which fields, and how an intent is merged into an object.
#include <set>
#include <string>
#include <vector>

#include "tests/sim/kinds.hpp"

namespace oarlock::sim {

/// Fields as paths of fieldsV1 elements ("f:spec", "k:{...}"), each element ended by '\n'.
using field_set = std::set<std::string>;

/// One entry of metadata.managedFields.
struct manager_entry {
  std::string manager;
  bool is_apply = false;
  std::string subresource;
  field_set fields;
  std::string time;
};

/// Every field that `object` sets, without what no manager owns (names, versions, managedFields).
[[nodiscard]] field_set fields_of(const js::object& object);
/// Fields that are in only one of the two or have other values.
struct field_changes {
  field_set changed;  ///< added or with another value
  field_set removed;
};
[[nodiscard]] field_changes compare(const js::object& before, const js::object& after);

struct apply_conflict {
  std::string manager;
  std::string field;  ///< ".spec.replicas"
};
struct apply_result {
  js::object object;
  std::vector<manager_entry> managers;
  std::vector<apply_conflict> conflicts;  ///< not empty: nothing else counts
};
/// Merges `intent`, which has only what `manager` may own, into `live`.
[[nodiscard]] apply_result apply_intent(const js::object& live,
                                        const std::vector<manager_entry>& managers,
                                        const js::object& intent, const std::string& manager,
                                        const std::string& subresource, bool force);
/// The owners after a write that is no apply.
[[nodiscard]] std::vector<manager_entry> after_update(std::vector<manager_entry> managers,
                                                      const field_changes& changes,
                                                      const std::string& manager,
                                                      const std::string& subresource);
/// metadata.managedFields of an object of `api_version`.
[[nodiscard]] js::array render_managers(const std::vector<manager_entry>& managers,
                                        const std::string& api_version);

}  // namespace oarlock::sim
