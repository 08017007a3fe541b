// A plugin is replaced, and its next version refused, while its objects change: the daemon goes on,
// and no change is lost.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const kube::resource my_apps{"example.com", "v1alpha1", "MyApp", "myapps", true};

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Changes MyApps one after the other, as fast as the API server takes it, and makes new ones.
class changes {
 public:
  explicit changes(std::string ns) : ns_(std::move(ns)), thread_([this] { run(); }) {}
  ~changes() { end(); }
  changes(const changes&) = delete;
  changes& operator=(const changes&) = delete;

  [[nodiscard]] int made() const { return made_; }
  /// More of them have happened.
  bool go_on(int more) {
    const int until = made_ + more;
    return eventually([&] { return made_ >= until; }, 60s);
  }
  /// What each object says at last.
  std::map<std::string, int> end() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return last_;
  }

 private:
  void run() {
    const kube::apply_options by{"user", true, {}, false};
    while (!stop_) {
      const int n = made_;
      // Every tenth is a new one.
      const int which = n % 10 == 0 ? n / 10 : n % (n / 10 + 1);
      const auto name = "app-" + std::to_string(which);
      const auto body = fmt::format(
          R"({{"apiVersion":"example.com/v1alpha1","kind":"MyApp","metadata":{{"name":"{}"}},)"
          R"("spec":{{"replicas":{},"image":"a:b"}}}})",
          name, n % 100);
      const auto done = user_.call(user_.client().apply(my_apps, ns_, name, body, by));
      EXPECT_TRUE(done) << done.error().message;
      last_[name] = n % 100;
      ++made_;
    }
  }

  const std::string ns_;
  fault_subject user_{admin_kubeconfig()};
  std::map<std::string, int> last_;
  std::atomic<int> made_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class Upgrade : public ::testing::TestWithParam<const char*> {
 protected:
  // Before what follows is made.
  fs::path prepared() const {
    c_.make_namespace(ns_);
    fs::copy(test_plugin("turner"), dir_.path() / "turner");
    return dir_.path() / "turner";
  }
  // Replaces a file as installers do it: the new one gets the name of the old one.
  void replace(const char* name, const std::string& bytes) const {
    std::ofstream(plugin_ / "new", std::ios::binary) << bytes;
    fs::rename(plugin_ / "new", plugin_ / name);
  }
  void replace_manifest(const std::string& version) const {
    auto text = bytes_of(test_plugin("turner") / "plugin.yaml");
    const std::string line = "version: \"1\"";
    text.replace(text.find(line), line.size(), "version: \"" + version + "\"");
    replace("plugin.yaml", text);
  }
  double shown(const std::string& name, const std::string& label = {}) {
    std::vector<std::string> labels;
    if (!label.empty()) labels.push_back(label);
    return metric(daemon_.metrics(), name, labels);
  }
  ::testing::AssertionResult comes_to(const std::string& name, const std::string& label,
                                      double value) {
    if (eventually([&] { return shown(name, label) == value; }, 60s)) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << name << " is " << shown(name, label) << "\n"
                                         << daemon_.process().log();
  }

  cluster& c_ = shared_cluster();
  const bool in_core_ = std::string(GetParam()) == "core";
  const std::string ns_ = std::string("upgrade-") + GetParam();
  scratch_dir dir_;
  const fs::path plugin_ = prepared();
  fault_subject admin_{admin_kubeconfig()};
  const cache::informer& maps_ = admin_.follow(ns_);
  daemon daemon_{c_,
                 {{plugin_.string(), test_plugin("observer").string()},
                  {std::string("--plugin-home=") + GetParam(), "--namespace=" + ns_},
                  false,
                  admin_kubeconfig()}};
};

INSTANTIATE_TEST_SUITE_P(In, Upgrade, ::testing::Values("core", "child"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Upgrade, UnderChangesNoneIsLost) {
  ASSERT_TRUE(daemon_.wait_ready(60s)) << daemon_.process().log();
  changes under_way(ns_);
  ASSERT_TRUE(under_way.go_on(30));

  replace_manifest("2");
  replace("libturner.so", bytes_of(test_plugin("turner-2") / "libturner.so"));
  daemon_.process().send(SIGHUP);
  ASSERT_TRUE(comes_to("oarlock_plugin_upgrades_total", "result=\"switched\"", 1));
  ASSERT_TRUE(under_way.go_on(30));

  // A damaged one, written over the file in place.
  std::ofstream(plugin_ / "libturner.so") << "no library";
  daemon_.process().send(SIGHUP);
  ASSERT_TRUE(comes_to("oarlock_plugin_upgrades_total", "result=\"refused\"", 1));
  ASSERT_TRUE(under_way.go_on(30));

  const auto last = under_way.end();
  for (const auto& entry : last) {
    const auto& name = entry.first;
    const auto replicas = std::to_string(entry.second);
    const auto is_there = [&] {
      return data_in(maps_, ns_, name, "replicas") == replicas &&
             data_in(maps_, ns_, name, "by") == "2";
    };
    EXPECT_TRUE(eventually(is_there, 60s))
        << name << " " << data_in(maps_, ns_, name, "replicas") << " not " << replicas << "\n"
        << daemon_.process().log();
  }
  const auto text = daemon_.metrics();
  EXPECT_EQ(metric(text, "oarlock_plugin_info", {"plugin=\"turner\"", "version=\"1\""}), 0);
  EXPECT_EQ(metric(text, "oarlock_plugin_info", {"plugin=\"turner\"", "version=\"2\""}), 1);
  EXPECT_EQ(metric(text, "oarlock_plugin_libraries_mapped"), in_core_ ? 3 : 0);
  EXPECT_EQ(metric(text, "oarlock_plugin_libraries_unused"), in_core_ ? 1 : 0);
  if (!in_core_) {
    EXPECT_EQ(metric(text, "oarlock_plugin_child_up", {"plugin=\"turner\""}), 1);
    EXPECT_EQ(metric(text, "oarlock_plugin_child_restarts_total", {"plugin=\"turner\""}), 0);
  }
  EXPECT_NE(daemon_.probe("/readyz").find("version 2 goes on, not upgraded"), std::string::npos);
  daemon_.process().send(SIGTERM);
  EXPECT_EQ(daemon_.process().wait(60s), 0) << daemon_.process().log();
}

}  // namespace
}  // namespace oarlock::testing
