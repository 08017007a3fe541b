// Runs tests/cases/*.yaml against the plugin over the C ABI, without a cluster: each case is a
// test.
#include "oarlock/sdk/testing/gtest.hpp"

namespace {

OARLOCK_TEST_CASES(oarlock_plugin_entry_v0(), MYAPP_CASES);

}  // namespace
