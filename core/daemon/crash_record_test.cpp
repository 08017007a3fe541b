#include "core/daemon/crash_record.hpp"

#include <gtest/gtest.h>
#include <boost/asio/post.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>

#include "core/daemon/lane_pool.hpp"
#include "core/daemon/loop_thread.hpp"

namespace oarlock::daemon {
namespace {

// The compiler may not make a loop of it.
[[gnu::noinline]] int overflow(volatile int* depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(*depth);
  *depth = *depth + 1;
  return *depth < 0 ? 0 : overflow(depth) + frame[0];
}

[[noreturn]] void overflow_in(const executor& thread) {
  boost::asio::post(thread, [] {
    volatile int depth = 0;
    static_cast<void>(overflow(&depth));
  });
  std::promise<void> never;
  never.get_future().wait_for(std::chrono::minutes(1));
  std::_Exit(0);
}

[[noreturn]] void overflow_in_a_loop() {
  (void)record_crashes({}, "9.9.9");
  loop_thread loop("oarlock-deep");
  loop.start();
  overflow_in(loop.get_executor());
}

[[noreturn]] void overflow_in_a_lane() {
  (void)record_crashes({}, "9.9.9");
  lane_pool lane(2);
  overflow_in(lane.get_executor());
}

TEST(crash_record, a_stack_that_overflows_leaves_one) {
#ifdef OARLOCK_SANITIZED
  GTEST_SKIP() << "a sanitizer reports by itself";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const ::testing::KilledBySignal died(SIGSEGV);
  EXPECT_EXIT(overflow_in_a_loop(), died, "9.9.9 ended: SIGSEGV in thread oarlock-deep");
  EXPECT_EXIT(overflow_in_a_lane(), died, "9.9.9 ended: SIGSEGV in thread ");
}

}  // namespace
}  // namespace oarlock::daemon
