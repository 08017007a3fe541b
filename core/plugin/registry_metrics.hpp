#pragma once
// A plugin's metrics on the daemon's page, for plugins of both homes.
#include <set>
#include <string>
#include <vector>

#include "core/base/metric_registry.hpp"
#include "core/plugin/metric_table.hpp"

namespace oarlock::plugin {

/// Its series leave the page with it.
class registry_metrics final : public metric_table {
 public:
  struct parts {
    std::string plugin;
    std::uint64_t series_max = 0;
    metric_registry* metrics = nullptr;  ///< outlives this; null: there is no page
  };
  explicit registry_metrics(parts p);
  ~registry_metrics() override;

  /// As if all had been observed one by one: so many in each bucket and above the last.
  [[nodiscard]] oarlock_status observe_many(std::uint64_t series, const std::vector<double>& counts,
                                            double sum);
  /// So many values of a metric found no place in the child already. False: no such metric.
  [[nodiscard]] bool note_overflow(std::uint64_t metric, std::uint64_t count);
  /// As for a process that begins anew.
  void clear();

 private:
  struct on_page {
    counter* as_counter = nullptr;
    gauge* as_gauge = nullptr;
    histogram* as_histogram = nullptr;
  };

  [[nodiscard]] bool made(std::size_t series, std::size_t metric, const metric_spec& spec,
                          const std::vector<std::string>& values) override;
  void added(std::size_t series, double amount) override;
  void was_set(std::size_t series, double value) override;
  void observed(std::size_t series, double value) override;
  void overflowed(std::size_t metric, const metric_spec& spec, std::uint64_t count) override;
  void take_off();

  const parts parts_;
  counter* over_ = nullptr;
  std::vector<on_page> series_;
  std::set<std::string> told_;  // metrics that were named for their overflow
};

}  // namespace oarlock::plugin
