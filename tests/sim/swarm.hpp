#pragma once
// One seed, one run: the seed chooses the faults, the people's actions and every delay. Then faults
// end, wishes stand still, and the cluster must come to what a clean run makes of them, and be
// silent.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/cluster_run.hpp"

namespace oarlock::sim {

struct swarm_report {
  std::uint64_t seed = 0;
  std::uint64_t trace = 0;  ///< a hash of all that happened
  std::uint64_t requests = 0;
  std::vector<std::string> problems;
};
/// `lines`: where the whole trace goes, or null.
[[nodiscard]] swarm_report run_seed(plugin::loaded_plugin& plugin, std::uint64_t seed,
                                    std::vector<std::string>* lines = nullptr);

}  // namespace oarlock::sim
