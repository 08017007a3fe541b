#pragma once
// A plugin's metrics on their way from its child: what is new, and what has changed since the last
// packet.
#include <cstdint>
#include <string>
#include <vector>

#include "core/plugin/registry_metrics.hpp"
#include "core/plugin/wire.hpp"

namespace oarlock::plugin::wire {

enum class metric_entry : std::uint8_t { metric = 1, series, add, set, observe, overflow };

void put_metric(writer& w, const metric_spec& spec);
void put_series(writer& w, std::uint64_t metric, const std::vector<std::string>& values);
void put_change(writer& w, metric_entry what, std::uint64_t series, double amount);
void put_observed(writer& w, std::uint64_t series, const std::vector<double>& counts, double sum);
void put_overflow(writer& w, std::uint64_t metric, std::uint64_t count);

/// The packets of one child's life, into the daemon's table. One thread at a time.
class metric_replay {
 public:
  /// False: not what oarlock-plugin-host sends.
  [[nodiscard]] bool take(reader& r, registry_metrics& into);

 private:
  [[nodiscard]] bool take_metric(reader& r, registry_metrics& into);
  [[nodiscard]] bool take_series(reader& r, registry_metrics& into);
  [[nodiscard]] bool take_change(metric_entry what, reader& r, registry_metrics& into);
  [[nodiscard]] bool take_observed(reader& r, registry_metrics& into);

  // The daemon's id of each of the child's; none: refused, and so is what comes for it.
  std::vector<std::optional<std::uint64_t>> metrics_;
  std::vector<std::optional<std::uint64_t>> series_;
};

}  // namespace oarlock::plugin::wire
