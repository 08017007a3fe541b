#include "core/plugin/registry_metrics.hpp"

#include <stdexcept>

#include "core/base/log.hpp"
#include "core/plugin/quota.hpp"

namespace oarlock::plugin {

registry_metrics::registry_metrics(parts p)
    : metric_table(p.plugin, p.series_max), parts_(std::move(p)) {
  if (parts_.metrics == nullptr || parts_.series_max == 0) return;
  over_ = &over_quota_counter(*parts_.metrics, parts_.plugin, quota_name::metric_series);
}

registry_metrics::~registry_metrics() {
  take_off();
}

bool registry_metrics::made(std::size_t series, std::size_t, const metric_spec& spec,
                            const std::vector<std::string>& values) {
  on_page made;
  if (parts_.metrics != nullptr) {
    metric_labels labels{{"plugin", parts_.plugin}};
    for (std::size_t i = 0; i < values.size(); ++i)
      labels.emplace(spec.labels[i], values[i]);
    try {
      if (spec.kind == OARLOCK_METRIC_COUNTER)
        made.as_counter = &parts_.metrics->make_counter(spec.name, spec.help, labels);
      if (spec.kind == OARLOCK_METRIC_GAUGE)
        made.as_gauge = &parts_.metrics->make_gauge(spec.name, spec.help, labels);
      if (spec.kind == OARLOCK_METRIC_HISTOGRAM)
        made.as_histogram =
            &parts_.metrics->make_histogram(spec.name, spec.help, labels, spec.buckets);
    } catch (const std::invalid_argument&) {
      if (told_.insert(spec.name).second) {
        log_warn("plugin's metric is refused: the name is taken by one of another type",
                 {{"plugin", parts_.plugin}, {"metric", spec.name}});
      }
      return false;
    }
  }
  series_.resize(series + 1);
  series_[series] = made;
  return true;
}

void registry_metrics::added(std::size_t series, double amount) {
  if (auto* c = series_[series].as_counter) c->add(amount);
  if (auto* g = series_[series].as_gauge) g->add(amount);
}

void registry_metrics::was_set(std::size_t series, double value) {
  if (auto* g = series_[series].as_gauge) g->set(value);
}

void registry_metrics::observed(std::size_t series, double value) {
  if (auto* h = series_[series].as_histogram) h->observe(value);
}

void registry_metrics::overflowed(std::size_t, const metric_spec& spec, std::uint64_t count) {
  if (over_ != nullptr) over_->add(static_cast<double>(count));
  if (!told_.insert(spec.name).second) return;
  log_warn("plugin is over its quota: more series of its metric become one, overflow",
           {{"plugin", parts_.plugin},
            {"quota", quota_name::metric_series},
            {"limit", parts_.series_max},
            {"metric", spec.name}});
}

bool registry_metrics::note_overflow(std::uint64_t metric, std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  const auto* spec = metric_at(metric);
  if (spec != nullptr) overflowed(static_cast<std::size_t>(metric), *spec, count);
  return spec != nullptr;
}

oarlock_status registry_metrics::observe_many(std::uint64_t series,
                                              const std::vector<double>& counts, double sum) {
  const std::lock_guard lock(mutex_);
  const auto* spec = spec_of(series);
  if (spec == nullptr || spec->kind != OARLOCK_METRIC_HISTOGRAM ||
      counts.size() != spec->buckets.size() + 1) {
    return OARLOCK_INVALID;
  }
  if (auto* h = series_[series].as_histogram) h->observe_many(counts, sum);
  return OARLOCK_OK;
}

void registry_metrics::clear() {
  const std::lock_guard lock(mutex_);
  take_off();
  forget_all();
}

void registry_metrics::take_off() {
  for (const auto& one : series_) {
    if (one.as_counter != nullptr) parts_.metrics->remove(*one.as_counter);
    if (one.as_gauge != nullptr) parts_.metrics->remove(*one.as_gauge);
    if (one.as_histogram != nullptr) parts_.metrics->remove(*one.as_histogram);
  }
  series_.clear();
}

}  // namespace oarlock::plugin
