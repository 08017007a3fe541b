#pragma once
// From what people write (a kind, "deploy", "deployments.apps") to a resource that can be asked
// for.
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "core/kube/discovery.hpp"

namespace oarlock::kube {

/// Reads discovery at its first question, and again when a question has no answer, at most every
/// 5 s: a CRD that was just created is found, a misspelt kind is no load. Callers that ask while
/// it reads wait for that. Loop-bound.
class rest_mapper {
 public:
  struct parts {
    executor loop;
    client* from;
    const clock* clock_source;
  };
  explicit rest_mapper(parts p);
  ~rest_mapper();
  rest_mapper(const rest_mapper&) = delete;
  rest_mapper& operator=(const rest_mapper&) = delete;

  /// An empty version: the server's preferred one. kube_error::not_found says what there is.
  [[nodiscard]] task<result<resource>> by_kind(std::string group, std::string kind,
                                               std::string version = {});
  /// "deployments", "deployment", "deploy", "deployments.apps" or "deployments.v1.apps". A name
  /// that several groups have means the first in the server's order, as in kubectl.
  [[nodiscard]] task<result<resource>> by_name(std::string name);
  /// What is known may be wrong: a CRD was removed or changed. The next question reads again.
  void invalidate();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::kube
