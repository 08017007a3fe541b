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

// A metric, its family, and how often it was given away.
template <class Metric>
struct held {
  prometheus::Family<Metric>& family;
  Metric& metric;
  std::size_t uses = 0;
};

class prometheus_counter final : public counter {
 public:
  explicit prometheus_counter(held<prometheus::Counter> what) : is(what) {}
  void add(double amount) override { is.metric.Increment(amount); }
  held<prometheus::Counter> is;
};

class prometheus_gauge final : public gauge {
 public:
  explicit prometheus_gauge(held<prometheus::Gauge> what) : is(what) {}
  void set(double value) override { is.metric.Set(value); }
  void add(double amount) override { is.metric.Increment(amount); }
  held<prometheus::Gauge> is;
};

class prometheus_histogram final : public histogram {
 public:
  explicit prometheus_histogram(held<prometheus::Histogram> what) : is(what) {}
  void observe(double value) override { is.metric.Observe(value); }
  void observe_many(const std::vector<double>& counts, double sum) override {
    is.metric.ObserveMultiple(counts, sum);
  }
  held<prometheus::Histogram> is;
};

class prometheus_registry final : public metric_registry {
 public:
  counter& make_counter(const std::string& name, const std::string& help,
                        const metric_labels& labels) override {
    const std::lock_guard lock(mutex_);
    auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
    return give(counters_, family, family.Add(labels));
  }
  gauge& make_gauge(const std::string& name, const std::string& help,
                    const metric_labels& labels) override {
    const std::lock_guard lock(mutex_);
    auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
    return give(gauges_, family, family.Add(labels));
  }
  histogram& make_histogram(const std::string& name, const std::string& help,
                            const metric_labels& labels,
                            const std::vector<double>& buckets) override {
    const std::lock_guard lock(mutex_);
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
    return give(histograms_, family,
                family.Add(labels, prometheus::Histogram::BucketBoundaries(buckets)));
  }
  void remove(counter& given) override {
    take_back(counters_, static_cast<prometheus_counter&>(given));
  }
  void remove(gauge& given) override { take_back(gauges_, static_cast<prometheus_gauge&>(given)); }
  void remove(histogram& given) override {
    take_back(histograms_, static_cast<prometheus_histogram&>(given));
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
  template <class Wrapper>
  using wrappers = std::unordered_map<void*, std::unique_ptr<Wrapper>>;

  // Both under the lock, so that nothing is given away while it is taken back.
  template <class Wrapper, class Metric>
  Wrapper& give(wrappers<Wrapper>& all, prometheus::Family<Metric>& family, Metric& metric) {
    auto& slot = all[&metric];
    if (!slot) slot = std::make_unique<Wrapper>(held<Metric>{family, metric});
    ++slot->is.uses;
    return *slot;
  }
  template <class Wrapper>
  void take_back(wrappers<Wrapper>& all, Wrapper& given) {
    const std::lock_guard lock(mutex_);
    if (--given.is.uses > 0) return;
    auto& family = given.is.family;
    auto* const metric = &given.is.metric;
    all.erase(metric);
    family.Remove(metric);
    // Its name may come again for another type.
    if (family.Collect().empty()) registry_.Remove(family);
  }

  prometheus::Registry registry_{prometheus::Registry::InsertBehavior::Merge};
  std::mutex mutex_;
  wrappers<prometheus_counter> counters_;
  wrappers<prometheus_gauge> gauges_;
  wrappers<prometheus_histogram> histograms_;
  std::vector<std::function<void()>> refreshers_;
};

}  // namespace

std::unique_ptr<metric_registry> make_prometheus_registry() {
  return std::make_unique<prometheus_registry>();
}

}  // namespace oarlock
