#pragma once
// oarlock.metrics/1 without the page: what a plugin declares, which series it has, and how many it
// may have. What becomes of them is up to the home.
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "oarlock/ext/metrics.h"

namespace oarlock::plugin {

struct metric_spec {
  oarlock_metric_kind kind = OARLOCK_METRIC_COUNTER;
  std::string name;
  std::string help;
  std::vector<std::string> labels;
  std::vector<double> buckets;  ///< of a histogram, never empty
  bool operator==(const metric_spec&) const = default;
};

namespace metric_limits {
inline constexpr std::size_t metrics_max = 200;
inline constexpr std::size_t name_bytes_max = 128;
inline constexpr std::size_t help_bytes_max = 512;
inline constexpr std::size_t labels_max = 10;
inline constexpr std::size_t value_bytes_max = 256;
inline constexpr std::size_t buckets_max = 64;
}  // namespace metric_limits

/// Thread: any. Answers as the slots of oarlock_host_metrics say.
class metric_table {
 public:
  /// `series_max`: of all metrics that have labels, as Prometheus counts them (a histogram has one
  /// for each bucket and three more); 0: no limit.
  metric_table(const std::string& plugin, std::uint64_t series_max);
  virtual ~metric_table() = default;
  metric_table(const metric_table&) = delete;
  metric_table& operator=(const metric_table&) = delete;

  [[nodiscard]] oarlock_status declare(const oarlock_metric_view* view, std::uint64_t* out);
  [[nodiscard]] oarlock_status series(std::uint64_t metric, const oarlock_str_view* values,
                                      std::uint64_t count, std::uint64_t* out);
  [[nodiscard]] oarlock_status add(std::uint64_t series, double amount);
  [[nodiscard]] oarlock_status set(std::uint64_t series, double value);
  [[nodiscard]] oarlock_status observe(std::uint64_t series, double value);

  /// The first two for who has no views.
  [[nodiscard]] oarlock_status declare(metric_spec spec, std::uint64_t* out);
  [[nodiscard]] oarlock_status series(std::uint64_t metric, std::vector<std::string> values,
                                      std::uint64_t* out);

 protected:
  using line = std::pair<std::size_t, std::vector<std::string>>;  // metric and values

  // All of them under the lock. Ids count from 0 without a gap.
  virtual void declared(const metric_spec& /*spec*/) {}
  /// False: it cannot be.
  [[nodiscard]] virtual bool made(std::size_t series, std::size_t metric, const metric_spec& spec,
                                  const std::vector<std::string>& values) = 0;
  virtual void added(std::size_t series, double amount) = 0;
  virtual void was_set(std::size_t series, double value) = 0;
  virtual void observed(std::size_t series, double value) = 0;
  /// So many values of a metric found no place.
  virtual void overflowed(std::size_t metric, const metric_spec& spec, std::uint64_t count) = 0;

  /// Under the lock, for whoever needs more than the calls above. The kind of a series; null: none.
  [[nodiscard]] const metric_spec* spec_of(std::uint64_t series) const;
  [[nodiscard]] const metric_spec* metric_at(std::uint64_t metric) const;
  void forget_all();

  std::mutex mutex_;

 private:
  [[nodiscard]] oarlock_status find(line wanted, const metric_spec& spec, std::uint64_t* out);
  template <class Work>
  oarlock_status change(std::uint64_t series, oarlock_metric_kind kind, double value, Work work);

  const std::string prefix_;
  const std::uint64_t series_max_;
  std::uint64_t series_count_ = 0;
  std::vector<metric_spec> metrics_;
  std::map<line, std::size_t> ids_;
  std::vector<std::size_t> metric_of_;  // of a series
};

}  // namespace oarlock::plugin
