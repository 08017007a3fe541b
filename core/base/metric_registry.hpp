#pragma once
// Metrics, as the core records them. The endpoint is core/metrics. Names and labels follow
// controller-runtime and client-go plus a `plugin` label; Oarlock's own start with `oarlock_`.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace oarlock {

using metric_labels = std::map<std::string, std::string>;

/// Thread: any. Owned by the registry, valid as long as it or until it is removed.
class counter {
 public:
  virtual ~counter() = default;
  virtual void add(double amount = 1) = 0;
};
class gauge {
 public:
  virtual ~gauge() = default;
  virtual void set(double value) = 0;
  virtual void add(double amount) = 0;
};
class histogram {
 public:
  virtual ~histogram() = default;
  virtual void observe(double value) = 0;
  /// As if all had been observed: so many in each bucket and above the last, and their sum.
  virtual void observe_many(const std::vector<double>& counts, double sum) = 0;
};

/// Thread: any. The same name and labels give the same metric again. A name that is there for
/// another type throws std::invalid_argument.
class metric_registry {
 public:
  virtual ~metric_registry() = default;
  virtual counter& make_counter(const std::string& name, const std::string& help,
                                const metric_labels& labels) = 0;
  virtual gauge& make_gauge(const std::string& name, const std::string& help,
                            const metric_labels& labels) = 0;
  virtual histogram& make_histogram(const std::string& name, const std::string& help,
                                    const metric_labels& labels,
                                    const std::vector<double>& buckets) = 0;
  /// Ends what one call of make_...() gave; what was given more often is there until the last.
  virtual void remove(counter& given) = 0;
  virtual void remove(gauge& given) = 0;
  virtual void remove(histogram& given) = 0;
  /// Runs `refresh` before each scrape, on the scraping thread: for gauges that are read, not kept.
  virtual void before_scrape(std::function<void()> refresh) = 0;
  /// The Prometheus text exposition format.
  [[nodiscard]] virtual std::string serialize() = 0;
};

[[nodiscard]] std::unique_ptr<metric_registry> make_prometheus_registry();

}  // namespace oarlock
