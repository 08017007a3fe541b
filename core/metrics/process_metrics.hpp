#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/metric_registry.hpp"

namespace oarlock::metrics {

/// What /proc says about this process.
struct process_facts {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  ///< since 1970
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t threads = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
};

/// Reads `proc`/self and `proc`/stat; nullopt where there is no Linux /proc.
[[nodiscard]] std::optional<process_facts> read_process_facts(const std::filesystem::path& proc);

/// Adds process_* (names as in the Prometheus client libraries), refreshed before each scrape, and
/// oarlock_build_info. `metrics` outlives every scrape.
void add_process_metrics(metric_registry& metrics, const std::string& version,
                         const std::filesystem::path& proc = "/proc");

}  // namespace oarlock::metrics
