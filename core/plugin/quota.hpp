#pragma once
// How much of the daemon one plugin may use. The daemon's configuration has the values.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/metric_registry.hpp"
#include "core/base/result.hpp"

namespace oarlock::plugin {

/// Of one plugin; everywhere 0 is no limit. The defaults are far above what a plugin needs that
/// does what it should, and far below what takes the daemon down.
struct plugin_quota {
  std::uint64_t writes_per_second = 500;  ///< to the API server; twice as many after a quiet time
  std::uint64_t writes_in_flight = 24;    ///< of the 32 connections that all plugins share
  std::uint64_t concurrent_reconciles = 64;  ///< of all its controllers together
  std::uint64_t cache_bytes = 1ULL << 30U;   ///< of objects that nobody else reads
  std::uint64_t log_lines_per_second = 100;  ///< ten times as many after a quiet time
  std::uint64_t enqueues_per_second = 200;   ///< of keys by its event sources
  std::uint64_t metric_series = 1000;        ///< of its own metrics; the rest become one
  /// Private, anonymous, of its child process.
  std::uint64_t child_memory_bytes = 256ULL << 20U;
  bool operator==(const plugin_quota&) const = default;
};

/// Names of quotas as configuration, logs and metrics have them.
namespace quota_name {
inline constexpr const char* writes_per_second = "writes-per-second";
inline constexpr const char* writes_in_flight = "writes-in-flight";
inline constexpr const char* concurrent_reconciles = "concurrent-reconciles";
inline constexpr const char* cache_bytes = "cache-bytes";
inline constexpr const char* log_lines_per_second = "log-lines-per-second";
inline constexpr const char* enqueues_per_second = "enqueues-per-second";
inline constexpr const char* metric_series = "metric-series";
inline constexpr const char* child_memory_bytes = "child-memory-bytes";
}  // namespace quota_name

/// Counts what a quota of a plugin did; `quota` is one of quota_name.
[[nodiscard]] counter& over_quota_counter(metric_registry& metrics, const std::string& plugin,
                                          const char* quota);

/// What was configured: entries like "myapp:writes-per-second=50,cache-bytes=64Mi"; those of "*"
/// are for all plugins that do not say otherwise. A later entry wins.
class quota_table {
 public:
  /// The error says what was expected and found.
  [[nodiscard]] result<> add(const std::string& entry);
  [[nodiscard]] plugin_quota of(std::string_view plugin) const;
  /// The entries as they were added.
  [[nodiscard]] const std::vector<std::string>& entries() const { return entries_; }

 private:
  std::vector<std::string> entries_;
  std::map<std::string, std::vector<std::pair<std::string, std::uint64_t>>, std::less<>> values_;
};

}  // namespace oarlock::plugin
