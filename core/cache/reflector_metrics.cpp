#include "core/cache/reflector_metrics.hpp"

namespace oarlock::cache {

reflector_metrics::reflector_metrics(metric_registry& registry, const kube::resource& what)
    : registry_(registry),
      resource_(what.name()),
      lists_(registry.make_counter("oarlock_reflector_lists_total", "Lists taken into the cache.",
                                   {{"resource", resource_}})),
      watches_(registry.make_counter("oarlock_reflector_watches_total", "Watches opened.",
                                     {{"resource", resource_}})),
      rewinds_(registry.make_counter("oarlock_cache_rewinds_total",
                                     "Times a quorum list showed that history was rewound.",
                                     {{"resource", resource_}})) {
  for (std::size_t t = 0; t < events_.size(); ++t) {
    const std::string type(name_of(static_cast<watch_event_type>(t)));
    events_[t] =
        &registry.make_counter("oarlock_reflector_watch_events_total", "Watch events received.",
                               {{"resource", resource_}, {"type", type}});
  }
}

void reflector_metrics::failure(std::string_view reason) {
  registry_
      .make_counter("oarlock_reflector_errors_total",
                    "Failures of lists and watches, and objects and events that were refused.",
                    {{"resource", resource_}, {"reason", std::string(reason)}})
      .add();
}

}  // namespace oarlock::cache
