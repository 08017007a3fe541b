#pragma once
// What benchmarks of whole processes read, and how they tell it.
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace oarlock::testing {

struct memory {
  double pss_mib = 0;
  double anonymous_mib = 0;
};
[[nodiscard]] memory memory_of(pid_t pid);
/// User and system, to a hundredth.
[[nodiscard]] double cpu_seconds(pid_t pid);
/// Milliseconds until `done`, looked at every millisecond; at most `limit`.
double until(const std::function<bool()>& done, std::chrono::seconds limit);

struct figure {
  std::string name;
  double value;
  std::string unit;
};
/// A table for people, and build/bench/<name>.json.
void report(const std::string& name, const std::vector<figure>& figures);

}  // namespace oarlock::testing
