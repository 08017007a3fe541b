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

/// Thread: any. Owned by the registry, valid as long as it.
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
};

/// Thread: any. The same name and labels give the same metric again.
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
  /// Runs `refresh` before each scrape, on the scraping thread: for gauges that are read, not kept.
  virtual void before_scrape(std::function<void()> refresh) = 0;
  /// The Prometheus text exposition format.
  [[nodiscard]] virtual std::string serialize() = 0;
};

[[nodiscard]] std::unique_ptr<metric_registry> make_prometheus_registry();

}  // namespace oarlock
