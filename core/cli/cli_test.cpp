#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/cli/inspect.hpp"
#include "core/cli/plugin_json.hpp"

namespace oarlock::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* manifest = R"(apiVersion: oarlock.dev/v1alpha1
kind: PluginManifest
metadata: {name: cat}
spec:
  version: 1.2.3
  library: libcat.so
  abi: {major: 0, minor: 1}
  controllers:
    - name: cat
      primary: {apiVersion: example.com/v1, kind: Cat, plural: cats}
      owns: [{apiVersion: apps/v1, kind: Deployment, plural: deployments}]
      watches:
        - {apiVersion: v1, kind: Pod, plural: pods, labelSelector: a=b, mapByLabel: app}
)";

class cli : public ::testing::Test {
 protected:
  cli() {
    std::string name = (fs::temp_directory_path() / "oarlock-cli-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~cli() override { fs::remove_all(folder_); }
  fs::path write(const char* name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  fs::path folder_;
};

TEST_F(cli, inspect_tells_what_it_found_before_the_refusal) {
  write("plugin.yaml", manifest);
  write("libcat.so", "meow");
  const auto r = inspect(folder_);
  EXPECT_FALSE(r.would_load);
  EXPECT_THAT(r.text,
              AllOf(HasSubstr("name        cat\n"), HasSubstr("needs 0.1, this build offers"),
                    HasSubstr("primary   cats.example.com (example.com/v1)"),
                    HasSubstr("owns      deployments.apps (apps/v1)"),
                    HasSubstr("pods (v1) with a=b, mapped by the label app"),
                    HasSubstr("would load  no: "), HasSubstr("libcat.so: expected an ELF")));
  // sha256sum of "meow"
  EXPECT_THAT(r.text,
              HasSubstr("404cdd7bc109c432f8cc2443b45bcfe95980f5107215c645236e577929ac3e52"));
}

TEST_F(cli, inspect_of_nothing) {
  const auto r = inspect(folder_ / "nothing");
  EXPECT_FALSE(r.would_load);
  EXPECT_THAT(r.text, HasSubstr("found nothing"));
}

TEST_F(cli, json_of_a_manifest_is_checked) {
  const auto json = plugin_json(write("plugin.yaml", manifest));
  ASSERT_TRUE(json);
  EXPECT_THAT(*json, HasSubstr(R"("metadata":{"name":"cat"},"spec":{"version":"1.2.3")"));
  std::string bad = manifest;
  bad.replace(bad.find("library:"), 8, "libary: ");
  const auto refused = plugin_json(write("bad.yaml", bad));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("bad.yaml:6:3: unknown key \"libary\""));
}

TEST_F(cli, json_of_any_other_document) {
  const auto json = plugin_json(write("crd.yaml", "kind: CustomResourceDefinition\na: [1, 'x']\n"));
  ASSERT_TRUE(json);
  EXPECT_EQ(*json, R"({"kind":"CustomResourceDefinition","a":[1,"x"]})");
}

}  // namespace
}  // namespace oarlock::cli
