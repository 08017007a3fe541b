#include "core/plugin/metric_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/base/mutant.hpp"
#include "core/json/utf8.hpp"

namespace oarlock::plugin {

namespace {

using namespace metric_limits;

// The client library's defaults, for durations in seconds.
constexpr std::array<double, 11> default_buckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                    0.5,   1,    2.5,   5,    10};
// What the daemon's own metrics begin with: no plugin puts a family in their way.
constexpr std::array<std::string_view, 9> own_prefixes = {
    "oarlock_",         "workqueue_", "controller_runtime_", "rest_client_", "process_",
    "leader_election_", "informer_",  "certwatcher_",        "go_"};
constexpr const char* overflow_value = "overflow";

std::optional<std::string> bounded_text(oarlock_str_view lent, std::size_t bytes_max) {
  if ((lent.data == nullptr && lent.size > 0) || lent.size > bytes_max) return std::nullopt;
  return lent.size == 0 ? std::string() : std::string(lent.data, lent.size);
}

std::optional<std::vector<std::string>> texts_of(const oarlock_str_view* lent, std::uint64_t count,
                                                 std::size_t bytes_max) {
  if (count > labels_max || (lent == nullptr && count > 0)) return std::nullopt;
  std::vector<std::string> out;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto text = bounded_text(lent[i], bytes_max);
    if (!text) return std::nullopt;
    out.push_back(std::move(*text));
  }
  return out;
}

std::optional<metric_spec> spec_from(const oarlock_metric_view* view) {
  if (view == nullptr || !OARLOCK_HAS_FIELD(view, oarlock_metric_view, bucket_count)) {
    return std::nullopt;
  }
  auto name = bounded_text(view->name, name_bytes_max);
  auto help = bounded_text(view->help, help_bytes_max);
  auto labels = texts_of(view->labels, view->label_count, name_bytes_max);
  if (!name || !help || !labels || view->bucket_count > buckets_max ||
      (view->buckets == nullptr && view->bucket_count > 0)) {
    return std::nullopt;
  }
  metric_spec out{view->kind, std::move(*name), std::move(*help), std::move(*labels), {}};
  if (view->bucket_count > 0) out.buckets.assign(view->buckets, view->buckets + view->bucket_count);
  if (view->kind == OARLOCK_METRIC_HISTOGRAM && out.buckets.empty())
    out.buckets.assign(default_buckets.begin(), default_buckets.end());
  return out;
}

bool is_identifier(const std::string& s) {
  return !s.empty() && s.size() <= name_bytes_max && s.front() >= 'a' && s.front() <= 'z' &&
         std::all_of(s.begin(), s.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

bool is_metric_name(const std::string& name, oarlock_metric_kind kind) {
  if (!is_identifier(name)) return false;
  for (const char* taken : {"_count", "_sum", "_bucket", "_info"}) {
    if (name.ends_with(taken)) return false;
  }
  return name.ends_with("_total") == (kind == OARLOCK_METRIC_COUNTER);
}

bool are_labels(const std::vector<std::string>& labels) {
  for (auto at = labels.begin(); at != labels.end(); ++at) {
    if (!is_identifier(*at) || *at == "plugin" || *at == "le" || *at == "quantile") return false;
    if (std::find(labels.begin(), at, *at) != at) return false;
  }
  return labels.size() <= labels_max;
}

bool are_buckets(const metric_spec& spec) {
  const auto& all = spec.buckets;
  if (spec.kind != OARLOCK_METRIC_HISTOGRAM) return all.empty();
  const bool are_finite =
      std::all_of(all.begin(), all.end(), [](double bound) { return std::isfinite(bound); });
  return !all.empty() && all.size() <= buckets_max && are_finite &&
         std::adjacent_find(all.begin(), all.end(), std::greater_equal<>()) == all.end();
}

bool is_value(const std::string& value) {
  return value.size() <= value_bytes_max && !json::first_not_utf8(value);
}

bool is_right(const metric_spec& spec) {
  const bool is_kind = spec.kind >= OARLOCK_METRIC_COUNTER && spec.kind <= OARLOCK_METRIC_HISTOGRAM;
  return is_kind && is_metric_name(spec.name, spec.kind) && !spec.help.empty() &&
         spec.help.size() <= help_bytes_max && !json::first_not_utf8(spec.help) &&
         are_labels(spec.labels) && are_buckets(spec);
}

std::string prefix_of(const std::string& plugin) {
  std::string out = plugin + "_";
  std::replace(out.begin(), out.end(), '-', '_');
  // A name cannot begin with a digit.
  return out.front() >= '0' && out.front() <= '9' ? "plugin_" + out : out;
}

std::uint64_t weight_of(const metric_spec& spec) {
  return spec.kind == OARLOCK_METRIC_HISTOGRAM ? spec.buckets.size() + 3 : 1;
}

}  // namespace

metric_table::metric_table(const std::string& plugin, std::uint64_t series_max)
    : prefix_(prefix_of(plugin)), series_max_(series_max) {}

oarlock_status metric_table::declare(const oarlock_metric_view* view, std::uint64_t* out) {
  auto spec = spec_from(view);
  if (!spec) return OARLOCK_INVALID;
  return declare(std::move(*spec), out);
}

oarlock_status metric_table::declare(metric_spec spec, std::uint64_t* out) {
  if (!spec.name.starts_with(prefix_)) spec.name.insert(0, prefix_);
  const bool is_own = std::any_of(own_prefixes.begin(), own_prefixes.end(),
                                  [&](auto own) { return spec.name.starts_with(own); });
  if (out == nullptr || is_own || !is_right(spec)) return OARLOCK_INVALID;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    if (metrics_[i].name != spec.name) continue;
    *out = i;
    return metrics_[i] == spec ? OARLOCK_OK : OARLOCK_INVALID;
  }
  if (metrics_.size() >= metrics_max) return OARLOCK_LIMIT;
  declared(spec);
  *out = metrics_.size();
  metrics_.push_back(std::move(spec));
  return OARLOCK_OK;
}

oarlock_status metric_table::series(std::uint64_t metric, const oarlock_str_view* values,
                                    std::uint64_t count, std::uint64_t* out) {
  auto texts = texts_of(values, count, value_bytes_max);
  if (!texts) return OARLOCK_INVALID;
  return series(metric, std::move(*texts), out);
}

oarlock_status metric_table::series(std::uint64_t metric, std::vector<std::string> values,
                                    std::uint64_t* out) {
  const std::lock_guard lock(mutex_);
  const bool is_right = out != nullptr && metric < metrics_.size() &&
                        values.size() == metrics_[metric].labels.size() &&
                        std::all_of(values.begin(), values.end(), &is_value);
  if (!is_right) return OARLOCK_INVALID;
  const auto& spec = metrics_[metric];
  line wanted{metric, std::move(values)};
  const bool is_known = ids_.contains(wanted);
  const auto weight = spec.labels.empty() ? 0 : weight_of(spec);
  const bool has_place = series_max_ == 0 || series_count_ + weight <= series_max_ ||
                         OARLOCK_MUTANT("metric_series_unlimited");
  if (is_known || has_place) {
    const auto done = find(std::move(wanted), spec, out);
    if (!is_known && done == OARLOCK_OK) series_count_ += weight;
    return done;
  }
  overflowed(metric, spec, 1);
  return find({metric, std::vector<std::string>(spec.labels.size(), overflow_value)}, spec, out);
}

oarlock_status metric_table::find(line wanted, const metric_spec& spec, std::uint64_t* out) {
  const auto found = ids_.find(wanted);
  if (found != ids_.end()) {
    *out = found->second;
    return OARLOCK_OK;
  }
  const auto id = metric_of_.size();
  if (!made(id, wanted.first, spec, wanted.second)) return OARLOCK_INVALID;
  metric_of_.push_back(wanted.first);
  ids_.emplace(std::move(wanted), id);
  *out = id;
  return OARLOCK_OK;
}

const metric_spec* metric_table::spec_of(std::uint64_t series) const {
  return series < metric_of_.size() ? &metrics_[metric_of_[series]] : nullptr;
}

const metric_spec* metric_table::metric_at(std::uint64_t metric) const {
  return metric < metrics_.size() ? &metrics_[metric] : nullptr;
}

void metric_table::forget_all() {
  series_count_ = 0;
  metrics_.clear();
  ids_.clear();
  metric_of_.clear();
}

template <class Work>
oarlock_status metric_table::change(std::uint64_t series, oarlock_metric_kind kind, double value,
                                    Work work) {
  const std::lock_guard lock(mutex_);
  const auto* spec = spec_of(series);
  const bool is_right = spec != nullptr && spec->kind == kind && std::isfinite(value);
  if (!is_right) return OARLOCK_INVALID;
  work(static_cast<std::size_t>(series));
  return OARLOCK_OK;
}

oarlock_status metric_table::add(std::uint64_t series, double amount) {
  const auto work = [&](std::size_t id) { added(id, amount); };
  const auto done = change(series, OARLOCK_METRIC_GAUGE, amount, work);
  if (done == OARLOCK_OK || amount < 0) return done;
  return change(series, OARLOCK_METRIC_COUNTER, amount, work);
}

oarlock_status metric_table::set(std::uint64_t series, double value) {
  return change(series, OARLOCK_METRIC_GAUGE, value, [&](std::size_t id) { was_set(id, value); });
}

oarlock_status metric_table::observe(std::uint64_t series, double value) {
  return change(series, OARLOCK_METRIC_HISTOGRAM, value,
                [&](std::size_t id) { observed(id, value); });
}

}  // namespace oarlock::plugin
