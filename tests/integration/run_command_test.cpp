// `oarlock run`: a plugin against a real API server, reloaded when its library is built anew.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

std::string whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class RunCommand : public ::testing::Test {
 protected:
  RunCommand() { fs::copy(test_plugin("turner"), plugin_); }

  [[nodiscard]] std::vector<std::string> command(const std::string& ns) const {
    return {built("bin/oarlock"),
            "run",
            (plugin_ / "libturner.so").string(),
            "--kubeconfig",
            admin_kubeconfig().string(),
            "--namespace",
            ns};
  }
  // As linkers do it: the new file gets the name of the old one.
  void replace(const char* name, const std::string& bytes) const {
    std::ofstream(plugin_ / "new", std::ios::binary) << bytes;
    fs::rename(plugin_ / "new", plugin_ / name);
  }
  [[nodiscard]] bool comes_to(const std::string& ns, const std::string& path,
                              const std::string& value) const {
    return eventually([&] { return c_.field("configmap", "app", ns, path) == value; }, 60s);
  }

  cluster& c_ = shared_cluster();
  scratch_dir dir_;
  const fs::path plugin_ = dir_.path() / "turner";
};

TEST_F(RunCommand, ReloadsWhatIsBuiltAnew) {
  const std::string ns = "run-command";
  c_.make_namespace(ns);
  c_.must({"apply", "-n", ns, "-f", "-"}, myapp_yaml("app", 1));
  background run(command(ns), dir_.path() / "log");
  ASSERT_TRUE(comes_to(ns, ".data.by", "1")) << run.log();

  // The first half of a file, as a linker that is slow would leave it for a while.
  const auto next = whole(test_plugin("turner-2") / "libturner.so");
  std::ofstream(plugin_ / "libturner.so", std::ios::binary) << next.substr(0, next.size() / 2);
  const auto refused = [&] {
    return run.log().find("cannot be loaded; the one before goes on: ") != std::string::npos;
  };
  ASSERT_TRUE(eventually(refused, 60s)) << run.log();
  c_.must({"apply", "-n", ns, "-f", "-"}, myapp_yaml("app", 2));
  ASSERT_TRUE(comes_to(ns, ".data.replicas", "2")) << run.log();
  EXPECT_EQ(c_.field("configmap", "app", ns, ".data.by"), "1");
  EXPECT_THAT(run.log(), Not(HasSubstr("not upgraded")));

  auto manifest = whole(plugin_ / "plugin.yaml");
  manifest.replace(manifest.find("version: \"1\""), 12, "version: \"2\"");
  replace("plugin.yaml", manifest);
  replace("libturner.so", next);
  EXPECT_TRUE(comes_to(ns, ".data.by", "2")) << run.log();
  EXPECT_THAT(run.log(), HasSubstr("== the plugin was built anew: reloading it"));
  EXPECT_THAT(run.log(), Not(HasSubstr("\x1b")));  // a file is no terminal
  EXPECT_THAT(run.log(), HasSubstr(" INFO  "));

  run.send(SIGINT);
  EXPECT_EQ(run.wait(60s), 0) << run.log();
}

TEST_F(RunCommand, SaysWhyItDoesNotStart) {
  replace("libturner.so", "no library");
  const auto refused = oarlock::testing::run(command("default"));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("libturner.so: expected an ELF"));
  fs::remove(plugin_ / "plugin.yaml");
  EXPECT_EQ(oarlock::testing::run(command("default")).exit_code, 1);
}

}  // namespace
}  // namespace oarlock::testing
