// Runs tests/cases/*.yaml against the plugin over the C ABI, without a cluster: each case is a
// test.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "oarlock/sdk/testing/compare.hpp"

namespace {

namespace sdk = oarlock::sdk::testing;

class myapp : public ::testing::TestWithParam<sdk::plan_case> {};

TEST_P(myapp, plans) {
  const auto& one = GetParam();
  SCOPED_TRACE(one.file + ": " + one.name);
  sdk::bench_host host(*oarlock_plugin_entry_v0());
  const auto answer = host.plan(one.inputs);
  EXPECT_EQ(sdk::compare(one.expect, answer), "");
  // plan is pure: the same inputs give the same answer.
  EXPECT_EQ(host.plan(one.inputs).status_json, answer.status_json);
}

std::string test_name(const ::testing::TestParamInfo<sdk::plan_case>& info) {
  std::string name = std::to_string(info.index) + "_" + info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(cases, myapp, ::testing::ValuesIn(sdk::read_all_cases(MYAPP_CASES)),
                         test_name);

}  // namespace
