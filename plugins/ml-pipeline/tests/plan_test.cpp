// Runs tests/cases/*.yaml against the plugin over the C ABI, without a cluster: each case is a
// test.
#include "oarlock/sdk/testing/gtest.hpp"

namespace {

OARLOCK_TEST_CASES(ML_PIPELINE_LIBRARY, ML_PIPELINE_FOLDER "/tests/cases");

}  // namespace
