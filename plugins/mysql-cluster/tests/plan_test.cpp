// Runs tests/cases/*.yaml against the plugin over the C ABI, without a cluster: each case is a
// test.
#include "oarlock/sdk/testing/gtest.hpp"

namespace {

OARLOCK_TEST_CASES(oarlock_plugin_entry_v0(), MYSQL_CLUSTER_FOLDER "/tests/cases");

TEST(mysql_schema, V12_every_variation_is_planned_and_the_way_back_is_whole) {
  oarlock::sdk::testing::plan_variations(*oarlock_plugin_entry_v0(), "mysqlcluster",
                                         MYSQL_CLUSTER_FOLDER
                                         "/crds/mysql.oarlock.dev_mysqlclusters.yaml",
                                         MYSQL_CLUSTER_FOLDER "/samples/mysqlcluster.yaml");
}

}  // namespace
