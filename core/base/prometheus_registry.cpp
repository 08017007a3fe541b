#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <unordered_map>

#include "core/base/metric_registry.hpp"

namespace oarlock {

namespace {

class prometheus_counter final : public counter {
 public:
  explicit prometheus_counter(prometheus::Counter& c) : counter_(c) {}
  void add(double amount) override { counter_.Increment(amount); }

 private:
  prometheus::Counter& counter_;
};

class prometheus_gauge final : public gauge {
 public:
  explicit prometheus_gauge(prometheus::Gauge& g) : gauge_(g) {}
  void set(double value) override { gauge_.Set(value); }
  void add(double amount) override { gauge_.Increment(amount); }

 private:
  prometheus::Gauge& gauge_;
};

class prometheus_histogram final : public histogram {
 public:
  explicit prometheus_histogram(prometheus::Histogram& h) : histogram_(h) {}
  void observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

class prometheus_registry final : public metric_registry {
 public:
  counter& make_counter(const std::string& name, const std::string& help,
                        const metric_labels& labels) override {
    auto& made = prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(labels);
    return wrap<prometheus_counter>(counters_, made);
  }
  gauge& make_gauge(const std::string& name, const std::string& help,
                    const metric_labels& labels) override {
    auto& made = prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(labels);
    return wrap<prometheus_gauge>(gauges_, made);
  }
  histogram& make_histogram(const std::string& name, const std::string& help,
                            const metric_labels& labels,
                            const std::vector<double>& buckets) override {
    auto& made = prometheus::BuildHistogram().Name(name).Help(help).Register(registry_).Add(
        labels, prometheus::Histogram::BucketBoundaries(buckets));
    return wrap<prometheus_histogram>(histograms_, made);
  }
  void before_scrape(std::function<void()> refresh) override {
    const std::lock_guard lock(mutex_);
    refreshers_.push_back(std::move(refresh));
  }
  std::string serialize() override {
    std::vector<std::function<void()>> refreshers;
    {
      const std::lock_guard lock(mutex_);
      refreshers = refreshers_;
    }
    for (const auto& refresh : refreshers)
      refresh();
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  template <class Wrapper, class Map, class Metric>
  Wrapper& wrap(Map& map, Metric& metric) {
    const std::lock_guard lock(mutex_);
    auto& slot = map[&metric];
    if (!slot) slot = std::make_unique<Wrapper>(metric);
    return *slot;
  }

  prometheus::Registry registry_{prometheus::Registry::InsertBehavior::Merge};
  std::mutex mutex_;
  std::unordered_map<void*, std::unique_ptr<prometheus_counter>> counters_;
  std::unordered_map<void*, std::unique_ptr<prometheus_gauge>> gauges_;
  std::unordered_map<void*, std::unique_ptr<prometheus_histogram>> histograms_;
  std::vector<std::function<void()>> refreshers_;
};

}  // namespace

std::unique_ptr<metric_registry> make_prometheus_registry() {
  return std::make_unique<prometheus_registry>();
}

}  // namespace oarlock
