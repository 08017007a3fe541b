#pragma once
#include <string>
#include <vector>

namespace oarlock::cache {

/// What a reader will look objects up by, besides their key and their owners. Each costs memory for
/// each object that has the value, and a walk over all objects when it is asked for late.
struct index_set {
  std::vector<std::string> labels{};  ///< label keys, for informer::labelled()
  /// JSON pointers (RFC 6901) to strings, for informer::with_value(): "/spec/secretName". Objects
  /// that have something else there, or nothing, are not found by them.
  std::vector<std::string> pointers{};
  bool namespaces = false;  ///< list(ns) looks at the objects of `ns` only, not at all
};

}  // namespace oarlock::cache
