#pragma once
// The plugin's own metrics (extension oarlock.metrics/1), called <plugin>_<name> on the daemon's
// page. They read as prometheus-cpp does:
//
//   const auto queries = s.metrics.counters("queries_total", "Queries, by outcome", {"outcome"});
//   ok_ = queries.add({"ok"});
//   ok_.increment();
//
// Without the extension nothing happens. What the host refuses throws terminal_error.
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "oarlock/ext/metrics.h"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

namespace detail {

struct metric_host {
  oarlock_host_ctx* ctx = nullptr;
  const oarlock_host_metrics* table = nullptr;
};

/// One line of the page. Copies are the same line.
struct series_ref {
  metric_host host;
  std::uint64_t id = 0;
};

inline std::vector<oarlock_str_view> views_of(std::initializer_list<std::string_view> texts) {
  std::vector<oarlock_str_view> out;
  for (const auto text : texts)
    out.push_back(to_view(text));
  return out;
}

}  // namespace detail

/// Thread: any, from its making until the plugin is destroyed; so the next two.
class counter {
 public:
  static constexpr oarlock_metric_kind kind = OARLOCK_METRIC_COUNTER;
  counter() = default;
  explicit counter(detail::series_ref at) : at_(at) {}
  /// Below 0 it stays as it is.
  void increment(double amount = 1) const {
    if (at_.host.table != nullptr) at_.host.table->add(at_.host.ctx, at_.id, amount);
  }

 private:
  detail::series_ref at_;
};

class gauge {
 public:
  static constexpr oarlock_metric_kind kind = OARLOCK_METRIC_GAUGE;
  gauge() = default;
  explicit gauge(detail::series_ref at) : at_(at) {}
  void set(double value) const {
    if (at_.host.table != nullptr) at_.host.table->set(at_.host.ctx, at_.id, value);
  }
  void increment(double amount = 1) const {
    if (at_.host.table != nullptr) at_.host.table->add(at_.host.ctx, at_.id, amount);
  }
  void decrement(double amount = 1) const { increment(-amount); }

 private:
  detail::series_ref at_;
};

class histogram {
 public:
  static constexpr oarlock_metric_kind kind = OARLOCK_METRIC_HISTOGRAM;
  histogram() = default;
  explicit histogram(detail::series_ref at) : at_(at) {}
  void observe(double value) const {
    if (at_.host.table != nullptr) at_.host.table->observe(at_.host.ctx, at_.id, value);
  }

 private:
  detail::series_ref at_;
};

/// All series of one name.
template <class Metric>
class family {
 public:
  family() = default;
  family(detail::metric_host host, std::uint64_t metric) : host_(host), metric_(metric) {}

  /// The series with these values, in the order of the labels. Keep it: making it costs a look-up.
  [[nodiscard]] Metric add(std::initializer_list<std::string_view> values = {}) const {
    detail::series_ref at{host_, 0};
    if (host_.table == nullptr) return Metric(at);
    const auto views = detail::views_of(values);
    const auto done = host_.table->series(host_.ctx, metric_, views.data(), views.size(), &at.id);
    if (done != OARLOCK_OK) {
      throw terminal_error("MetricRefused",
                           "expected a value for each label, in UTF-8 and of at most 256 bytes");
    }
    return Metric(at);
  }

 private:
  detail::metric_host host_;
  std::uint64_t metric_ = 0;
};

class metrics {
 public:
  using labels = std::initializer_list<std::string_view>;

  metrics() = default;
  explicit metrics(const oarlock_host& host)
      : host_{host.ctx, static_cast<const oarlock_host_metrics*>(
                            host.extension(host.ctx, to_view(OARLOCK_EXT_METRICS)))} {}

  /// The name of a counter ends in _total.
  [[nodiscard]] family<counter> counters(std::string_view name, std::string_view help,
                                         labels names = {}) const {
    return declare<counter>(name, help, names, {});
  }
  [[nodiscard]] family<gauge> gauges(std::string_view name, std::string_view help,
                                     labels names = {}) const {
    return declare<gauge>(name, help, names, {});
  }
  /// `buckets` are upper bounds, rising; without them 5 ms to 10 s, in seconds.
  [[nodiscard]] family<histogram> histograms(std::string_view name, std::string_view help,
                                             labels names = {},
                                             const std::vector<double>& buckets = {}) const {
    return declare<histogram>(name, help, names, buckets);
  }

 private:
  template <class Metric>
  [[nodiscard]] family<Metric> declare(std::string_view name, std::string_view help, labels names,
                                       const std::vector<double>& buckets) const {
    if (host_.table == nullptr) return {};
    const auto views = detail::views_of(names);
    const oarlock_metric_view view{sizeof(view), Metric::kind, to_view(name),  to_view(help),
                                   views.data(), views.size(), buckets.data(), buckets.size()};
    std::uint64_t id = 0;
    const auto done = host_.table->declare(host_.ctx, &view, &id);
    if (done == OARLOCK_OK) return {host_, id};
    throw terminal_error(
        "MetricRefused",
        std::string("expected a name of [a-z0-9_], with _total for counters only, a help, labels "
                    "of [a-z0-9_] and rising buckets, found ")
            .append(name)
            .append(done == OARLOCK_LIMIT ? " beyond 200 metrics"
                                          : ", or it is declared otherwise"));
  }

  detail::metric_host host_;
};

}  // namespace oarlock::sdk
