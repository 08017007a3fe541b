// Runs tests/cases/*.yaml against the plugin over the C ABI, without a cluster.
#include <gtest/gtest.h>

#include "oarlock/sdk/testing/compare.hpp"

namespace {

namespace sdk = oarlock::sdk::testing;

TEST(myapp, cases) {
  const auto cases = sdk::read_all_cases(MYAPP_CASES);
  ASSERT_GE(cases.size(), 30U);
  sdk::bench_host host(*oarlock_plugin_entry_v0());
  for (const auto& one : cases) {
    SCOPED_TRACE(one.file + ": " + one.name);
    const auto answer = host.plan(one.inputs);
    EXPECT_EQ(sdk::compare(one.expect, answer), "");
    // plan is pure: the same inputs give the same answer.
    EXPECT_EQ(host.plan(one.inputs).status_json, answer.status_json);
  }
}

}  // namespace
