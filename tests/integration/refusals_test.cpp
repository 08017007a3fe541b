// What is refused, where, and with which words: bad objects at apply, bad plugins at start.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string spec_yaml(const std::string& name, const std::string& spec) {
  return "apiVersion: example.com/v1alpha1\nkind: MyApp\nmetadata:\n  name: " + name +
         "\nspec: " + spec + "\n";
}

struct bad_object {
  const char* label;
  std::string name;
  const char* spec;
  const char* says;
};
class RefusedAtApply : public ::testing::TestWithParam<bad_object> {};

TEST_P(RefusedAtApply, WithAReadableMessage) {
  const auto& c = GetParam();
  const auto answer = shared_cluster().kubectl({"apply", "-f", "-"}, spec_yaml(c.name, c.spec));
  EXPECT_NE(answer.exit_code, 0);
  EXPECT_THAT(answer.err, HasSubstr(c.says));
}

INSTANTIATE_TEST_SUITE_P(
    MyApp, RefusedAtApply,
    ::testing::Values(
        bad_object{"negative", "bad", "{replicas: -1, image: myapp}", "spec.replicas"},
        bad_object{"words", "bad", "{replicas: three, image: myapp}", "spec.replicas"},
        bad_object{"no_image", "bad", "{replicas: 1}", "spec.image"},
        bad_object{"empty_image", "bad", "{replicas: 1, image: \"\"}", "spec.image"},
        bad_object{"space", "bad", "{replicas: 1, image: \"my app\"}", "spec.image"},
        bad_object{"no_spec", "bad", "", "spec"},
        bad_object{"long_name", std::string(64, 'a'), "{replicas: 1, image: myapp}", "63"}),
    [](const auto& row) { return row.param.label; });

TEST(RefusedPlugins, LeaveTheOthersRunning) {
  const scratch_dir dir;
  const auto broken = dir.path() / "broken";
  std::filesystem::create_directory(broken);
  std::filesystem::copy_file(built("plugins/myapp/plugin.yaml"), broken / "plugin.yaml");
  std::ofstream(broken / "libmyapp.so") << "this is not a library";
  daemon d(shared_cluster(), {{broken.string(), dir.path() / "missing", "myapp"}, {}, false, {}});
  ASSERT_TRUE(d.wait_ready(30s)) << d.process().log() << d.probe("/readyz");
  const auto ready = d.probe("/readyz?verbose");
  EXPECT_THAT(ready, HasSubstr("[+]plugin/myapp ok"));
  EXPECT_THAT(ready, HasSubstr("libmyapp.so"));
  EXPECT_THAT(ready, HasSubstr("ELF"));
  EXPECT_THAT(ready, HasSubstr("missing"));
  const auto text = d.metrics();
  EXPECT_EQ(metric(text, "oarlock_plugin_loaded", {"plugin=\"myapp\""}), 1);
  EXPECT_THAT(text, HasSubstr("oarlock_plugin_load_failures_total"));
}

struct key_kind {
  const char* label;
  std::vector<std::string> flags;
};
class ConnectsWith : public ::testing::TestWithParam<key_kind> {};

TEST_P(ConnectsWith, ClientCertificates) {
  daemon d(shared_cluster(),
           {{"myapp"}, {}, false, shared_cluster().kubeconfig("oarlock", GetParam().flags)});
  EXPECT_TRUE(d.wait_ready(30s)) << d.process().log();
}

INSTANTIATE_TEST_SUITE_P(Kubeconfig, ConnectsWith,
                         ::testing::Values(key_kind{"rsa_inline", {"--key-type", "rsa"}},
                                           key_kind{"ecdsa_inline", {"--key-type", "ecdsa"}},
                                           key_kind{"rsa_files", {"--key-type", "rsa", "--files"}},
                                           key_kind{"ecdsa_files", {"--files"}}),
                         [](const auto& row) { return row.param.label; });

}  // namespace
}  // namespace oarlock::testing
