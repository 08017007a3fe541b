#include "core/plugin/metric_frames.hpp"

namespace oarlock::plugin::wire {

namespace {

// Of one life, should the quota have no limit.
constexpr std::size_t series_max = 1000000;

void put_texts(writer& w, const std::vector<std::string>& texts) {
  w.u64(texts.size());
  for (const auto& text : texts)
    w.text(text);
}

std::vector<std::string> take_texts(reader& r) {
  std::vector<std::string> out;
  for (auto left = r.count(metric_limits::labels_max, sizeof(std::uint64_t)); left > 0; --left)
    out.emplace_back(r.text());
  return out;
}

void put_numbers(writer& w, const std::vector<double>& numbers) {
  w.u64(numbers.size());
  for (const double number : numbers)
    w.f64(number);
}

std::vector<double> take_numbers(reader& r) {
  std::vector<double> out;
  for (auto left = r.count(metric_limits::buckets_max + 1, sizeof(double)); left > 0; --left)
    out.push_back(r.f64());
  return out;
}

}  // namespace

void put_metric(writer& w, const metric_spec& spec) {
  w.u8(static_cast<std::uint8_t>(metric_entry::metric));
  w.i32(spec.kind);
  w.text(spec.name);
  w.text(spec.help);
  put_texts(w, spec.labels);
  put_numbers(w, spec.buckets);
}

void put_series(writer& w, std::uint64_t metric, const std::vector<std::string>& values) {
  w.u8(static_cast<std::uint8_t>(metric_entry::series));
  w.u64(metric);
  put_texts(w, values);
}

void put_change(writer& w, metric_entry what, std::uint64_t series, double amount) {
  w.u8(static_cast<std::uint8_t>(what));
  w.u64(series);
  w.f64(amount);
}

void put_observed(writer& w, std::uint64_t series, const std::vector<double>& counts, double sum) {
  w.u8(static_cast<std::uint8_t>(metric_entry::observe));
  w.u64(series);
  put_numbers(w, counts);
  w.f64(sum);
}

void put_overflow(writer& w, std::uint64_t metric, std::uint64_t count) {
  w.u8(static_cast<std::uint8_t>(metric_entry::overflow));
  w.u64(metric);
  w.u64(count);
}

bool metric_replay::take(reader& r, registry_metrics& into) {
  while (r.ok() && !r.at_end()) {
    const auto what = static_cast<metric_entry>(r.u8());
    bool ok = false;
    switch (what) {
      case metric_entry::metric:
        ok = take_metric(r, into);
        break;
      case metric_entry::series:
        ok = take_series(r, into);
        break;
      case metric_entry::add:
      case metric_entry::set:
        ok = take_change(what, r, into);
        break;
      case metric_entry::observe:
        ok = take_observed(r, into);
        break;
      case metric_entry::overflow: {
        const auto metric = r.u64();
        const auto count = r.u64();
        ok = metric < metrics_.size();
        if (ok && metrics_[metric]) ok = into.note_overflow(*metrics_[metric], count);
        break;
      }
    }
    if (!ok) return false;
  }
  return r.ok();
}

bool metric_replay::take_metric(reader& r, registry_metrics& into) {
  metric_spec spec;
  spec.kind = r.i32();
  spec.name = r.text();
  spec.help = r.text();
  spec.labels = take_texts(r);
  spec.buckets = take_numbers(r);
  if (!r.ok() || metrics_.size() >= metric_limits::metrics_max) return false;
  std::uint64_t id = 0;
  const bool ok = into.declare(std::move(spec), &id) == OARLOCK_OK;
  metrics_.push_back(ok ? std::optional(id) : std::nullopt);
  return true;
}

bool metric_replay::take_series(reader& r, registry_metrics& into) {
  const auto metric = r.u64();
  auto values = take_texts(r);
  if (!r.ok() || metric >= metrics_.size() || series_.size() >= series_max) return false;
  std::uint64_t id = 0;
  const bool ok =
      metrics_[metric] && into.series(*metrics_[metric], std::move(values), &id) == OARLOCK_OK;
  series_.push_back(ok ? std::optional(id) : std::nullopt);
  return true;
}

bool metric_replay::take_change(metric_entry what, reader& r, registry_metrics& into) {
  const auto series = r.u64();
  const double amount = r.f64();
  if (!r.ok() || series >= series_.size()) return false;
  if (!series_[series]) return true;
  const auto done = what == metric_entry::add ? into.add(*series_[series], amount)
                                              : into.set(*series_[series], amount);
  return done == OARLOCK_OK;
}

bool metric_replay::take_observed(reader& r, registry_metrics& into) {
  const auto series = r.u64();
  const auto counts = take_numbers(r);
  const double sum = r.f64();
  if (!r.ok() || series >= series_.size()) return false;
  return !series_[series] || into.observe_many(*series_[series], counts, sum) == OARLOCK_OK;
}

}  // namespace oarlock::plugin::wire
