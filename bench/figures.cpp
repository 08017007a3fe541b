#include "bench/figures.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {

using bench_clock = std::chrono::steady_clock;

memory memory_of(pid_t pid) {
  std::ifstream rollup(fmt::format("/proc/{}/smaps_rollup", pid));
  memory found;
  for (std::string line; std::getline(rollup, line);) {
    std::istringstream words(line);
    std::string name;
    double kib = 0;
    words >> name >> kib;
    if (name == "Pss:") found.pss_mib = kib / 1024;
    if (name == "Anonymous:") found.anonymous_mib = kib / 1024;
  }
  return found;
}

double cpu_seconds(pid_t pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  std::istringstream words(text.substr(text.rfind(')') + 2));
  std::string skip;
  for (int i = 0; i < 11; ++i)
    words >> skip;
  double user = 0;
  double system = 0;
  words >> user >> system;
  return (user + system) / 100;
}

double until(const std::function<bool()>& done, std::chrono::seconds limit) {
  const auto begin = bench_clock::now();
  while (!done() && bench_clock::now() - begin < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return std::chrono::duration<double, std::milli>(bench_clock::now() - begin).count();
}

void report(const std::string& name, const std::vector<figure>& figures) {
  const auto dir = source_dir() / "build/bench";
  std::filesystem::create_directories(dir);
  std::ofstream json(dir / (name + ".json"));
  json << "[";
  for (std::size_t i = 0; i < figures.size(); ++i) {
    const auto& f = figures[i];
    std::cout << fmt::format("{:<40} {:>10.2f} {}\n", f.name, f.value, f.unit);
    json << fmt::format("{}{{\"name\":\"{}\",\"value\":{},\"unit\":\"{}\"}}", i == 0 ? "" : ",",
                        f.name, f.value, f.unit);
  }
  json << "]\n";
}

}  // namespace oarlock::testing
