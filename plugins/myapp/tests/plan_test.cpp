// Runs tests/cases/*.yaml against the plugin over the C ABI, without a cluster: each case is a
// test.
#include "oarlock/sdk/testing/gtest.hpp"

namespace {

OARLOCK_TEST_CASES(oarlock_plugin_entry_v0(), MYAPP_FOLDER "/tests/cases");

TEST(myapp_schema, V12_every_variation_is_planned_and_the_way_back_is_whole) {
  oarlock::sdk::testing::plan_variations(*oarlock_plugin_entry_v0(), "myapp",
                                         MYAPP_FOLDER "/crds/example.com_myapps.yaml",
                                         MYAPP_FOLDER "/samples/myapp.yaml");
}

}  // namespace
