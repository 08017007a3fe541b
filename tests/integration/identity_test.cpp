// A plugin that acts as itself: what is granted, what it may write, and what happens without it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// `oarlock plugin manifest` for myapp, with more flags.
std::string manifest(std::vector<std::string> flags) {
  std::vector<std::string> argv{built("bin/oarlock"), "plugin", "manifest",
                                source_dir() / "plugins/myapp"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  const auto done = run(argv);
  EXPECT_EQ(done.exit_code, 0) << done.err;
  return done.out;
}

TEST(PluginManifest, IsAcceptedByTheServerWithAndWithoutAScope) {
  shared_cluster().make_namespace("tenant");
  for (const auto& flags :
       std::vector<std::vector<std::string>>{{},
                                             {"--scope-namespace=tenant", "--daemon-user=someone"},
                                             {"--plugin-identity=daemon"}}) {
    const auto answer = shared_cluster().kubectl(
        {"apply", "--dry-run=server", "--validate=strict", "-f", "-"}, manifest(flags));
    EXPECT_EQ(answer.exit_code, 0) << answer.err;
    EXPECT_THAT(answer.out, HasSubstr("customresourcedefinition.apiextensions.k8s.io/"
                                      "myapps.example.com"));
  }
}

}  // namespace
}  // namespace oarlock::testing
