// The example of the client library, as its user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using ::testing::HasSubstr;

TEST(example_client, lists_watches_and_applies) {
  shared_cluster().make_namespace("example");
  shared_cluster().must({"create", "configmap", "there", "-n", "example"});
  shared_cluster().must({"create", "rolebinding", "example", "-n", "example", "--clusterrole=edit",
                         "--user=example"});
  const auto config = shared_cluster().kubeconfig("example");
  const auto program = std::filesystem::path(OARLOCK_BUILD_DIR) / "examples/list_watch_apply";
  const auto got = run({program.string(), "example", config.string()});
  EXPECT_EQ(got.exit_code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr("added example/there at "));
  EXPECT_THAT(got.out, HasSubstr("added example/hello at "));
  EXPECT_EQ(shared_cluster().field("configmap", "hello", "example", ".data.a"), "b");
  EXPECT_THAT(shared_cluster().must({"get", "configmap", "hello", "-n", "example", "-o", "yaml",
                                     "--show-managed-fields"}),
              HasSubstr("manager: list-watch-apply"));
}

TEST(example_client, says_what_is_wrong) {
  const auto program = std::filesystem::path(OARLOCK_BUILD_DIR) / "examples/list_watch_apply";
  const auto missing = run({program.string(), "example", "/nonexistent/config"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("/nonexistent/config"));
  const auto nobody = shared_cluster().kubeconfig("nobody");
  const auto forbidden = run({program.string(), "example", nobody.string()});
  EXPECT_EQ(forbidden.exit_code, 1);
  EXPECT_THAT(forbidden.err, HasSubstr("forbidden"));
}

}  // namespace
}  // namespace oarlock::testing
