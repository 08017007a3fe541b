#include "core/base/short_turns.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <thread>

namespace oarlock {
namespace {

// sched_runtime of the calling thread, ns; the third 64-bit field of the kernel's struct after the
// two halves of the first.
std::uint64_t own_turn_ns() {
  std::array<std::uint64_t, 6> attributes{};
  EXPECT_EQ(::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof attributes, 0), 0);
  return attributes[3];
}

TEST(ShortTurns, AreThoseOfThreadsThatAreStartedLater) {
  std::thread([] {
    if (!ask_for_short_turns()) GTEST_SKIP() << "this kernel has no turns by thread (6.12 has)";
    EXPECT_EQ(own_turn_ns(), 100'000U);
    std::thread([] { EXPECT_EQ(own_turn_ns(), 100'000U); }).join();
  }).join();
}

}  // namespace
}  // namespace oarlock
