#pragma once
// What a reflector counts, by resource. Label values are bounded: resource names, event types, and
// the reasons of reason_of() and below.
#include <array>
#include <string>
#include <string_view>

#include "core/base/metric_registry.hpp"
#include "core/cache/object_decoder.hpp"
#include "core/kube/resource.hpp"

namespace oarlock::cache {

class reflector_metrics {
 public:
  reflector_metrics(metric_registry& registry, const kube::resource& what);

  void list() { lists_.add(); }
  void watch() { watches_.add(); }
  void event(watch_event_type t) { events_[static_cast<std::size_t>(t)]->add(); }
  void rewind() { rewinds_.add(); }
  void failure(std::string_view reason);

 private:
  metric_registry& registry_;
  std::string resource_;
  counter& lists_;
  counter& watches_;
  counter& rewinds_;
  std::array<counter*, 6> events_{};  // by watch_event_type
};

}  // namespace oarlock::cache
