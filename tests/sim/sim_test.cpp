// The whole core below `daemon` in one thread, under seeds: see README.md.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "tests/sim/swarm.hpp"

namespace oarlock::sim {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string why(const swarm_report& r) {
  std::string out = "replay: SEEDS=1 START=" + std::to_string(r.seed) +
                    " TRACE=1 build/dev/tests/sim_test --gtest_filter=swarm.seeds\n";
  for (const auto& p : r.problems)
    out += p + "\n";
  return out;
}

class swarm : public ::testing::Test {
 protected:
  swarm() { log_configure(log_level::error, log_format::text); }
  ~swarm() override { log_configure(log_level::info, log_format::text); }
};

// SEEDS=n START=s: how many, and the first. TRACE=1 prints all that happens.
TEST_F(swarm, seeds) {
  const auto start = from_environment("START", 1);
  const auto count = from_environment("SEEDS", 20);
  for (auto seed = start; seed < start + count; ++seed) {
    std::vector<std::string> lines;
    const bool trace = std::getenv("TRACE") != nullptr;
    const auto report = run_seed(myapp_plugin(), seed, trace ? &lines : nullptr);
    for (const auto& line : lines)
      std::cout << line << "\n";
    EXPECT_TRUE(report.problems.empty()) << why(report);
    EXPECT_GT(report.requests, 100U) << "seed " << seed << ": hardly anything happened";
  }
}

TEST_F(swarm, one_seed_is_one_run) {
  std::vector<std::string> first;
  std::vector<std::string> second;
  const auto a = run_seed(myapp_plugin(), 7, &first);
  const auto b = run_seed(myapp_plugin(), 7, &second);
  for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i)
    ASSERT_EQ(first[i], second[i]) << "line " << i;
  EXPECT_EQ(first.size(), second.size());
  EXPECT_EQ(a.trace, b.trace);
  EXPECT_NE(a.trace, run_seed(myapp_plugin(), 8).trace);
}

}  // namespace
}  // namespace oarlock::sim
