#pragma once
// What a controller is, as its plugin's manifest declares it.
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/kube/resource.hpp"

namespace oarlock::controller {

/// A kind whose objects are inputs without being children, and how one finds its primary.
struct watch_spec {
  kube::resource resource;
  std::string label_selector = {};
  /// The label whose value is the primary's name, in the object's own namespace.
  std::string map_by_label = {};
  /// What plans may do to these objects besides looking at them.
  bool may_patch = false;
  bool may_delete = false;
  /// Instead of a label: primaries whose string at this JSON pointer is the object's name, in its
  /// namespace.
  std::string map_by_pointer = {};
  /// Instead of a label: primaries that an owner reference of the object names.
  bool map_by_owner = false;
  /// Which updates count; none of them: all do. Objects that come or go always count.
  bool on_generation = false;
  bool on_labels = false;
  bool on_annotations = false;
};

/// A kind whose objects observe() and effect() may read live, one by name, and which names. Without
/// `names` and `pointers` every one in the primary's namespace.
struct read_spec {
  kube::resource resource;
  std::vector<std::string> names = {};     ///< "{name}" in them is the primary's name
  std::vector<std::string> pointers = {};  ///< JSON pointers to the name in the primary
};

struct controller_spec {
  std::string plugin;
  std::string name;
  kube::resource primary;
  /// Kinds that the plugin creates as children: watched, mapped by owner reference, pruned.
  std::vector<kube::resource> owns;
  std::vector<watch_spec> watches;
  std::size_t max_concurrent_reconciles = 16;
  /// Scope; empty: all namespaces.
  std::string ns;
  /// Primaries carry `oarlock.dev/<plugin>` until the plugin has said that it is finished.
  bool finalizer = false;
  /// Kinds of children that are not cached (Secrets): read live by name, never listed or pruned.
  std::vector<kube::resource> owns_uncached = {};
  /// How long one reconcile may take, plan and steps together.
  std::chrono::seconds reconcile_timeout{60};
  std::vector<read_spec> reads = {};
};

}  // namespace oarlock::controller
