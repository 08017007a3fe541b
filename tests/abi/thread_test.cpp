// oarlock.thread/1 in both homes: a plugin knows in which kind of slot a thread is.
#include <gtest/gtest.h>

#include <tuple>

#include "oarlock/ext/thread.h"
#include "tests/abi/started.hpp"

namespace oarlock::abi {
namespace {

// A contract plugin by language.
class thread_word : public ::testing::TestWithParam<std::tuple<const char*, home>> {};
INSTANTIATE_TEST_SUITE_P(in, thread_word,
                         ::testing::Combine(::testing::Values("c", "cpp"),
                                            ::testing::Values(home::core, home::child)),
                         [](const auto& info) {
                           const bool in_core = std::get<1>(info.param) == home::core;
                           return std::string(std::get<0>(info.param)) +
                                  (in_core ? "_core" : "_child");
                         });

static_assert(OARLOCK_THREAD_OWN == 0 && OARLOCK_THREAD_CONTROL == 1 && OARLOCK_THREAD_WORKER == 2);

TEST_P(thread_word, is_known_in_each_slot_and_outside) {
  const auto& [language, where] = GetParam();
  started plugin(std::string("contract-") + language, where);
  EXPECT_EQ(plugin.plan("threads").status_json, R"({"create":1,"start":1,"plan":2,"own":0})");
  EXPECT_EQ(plugin.effect("threads").verdict, controller::plan_verdict::done);
}

}  // namespace
}  // namespace oarlock::abi
