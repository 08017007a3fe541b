// Fifty plugins by one `kubectl apply`: all come to run, a few images at a time.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/integration/plugin_objects.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

constexpr int many = 50;
constexpr int helpers_max = 5;  // four that pull, and one that prunes
constexpr auto long_enough = 300s;

// How many children of a process run a program of this name.
int children_called(pid_t of, const std::string& name) {
  int found = 0;
  std::error_code gone;
  for (const auto& thread : fs::directory_iterator(fmt::format("/proc/{}/task", of), gone)) {
    std::istringstream pids(whole(thread.path() / "children"));
    for (std::string pid; pids >> pid;)
      found += whole("/proc/" + pid + "/comm") == name + "\n" ? 1 : 0;
  }
  return found;
}

// The most that ever ran at once, looked at all the time.
class most_children {
 public:
  most_children(pid_t of, const std::string& name)
      : thread_([this, of, name] {
          while (!over_) {
            most_ = std::max(most_.load(), children_called(of, name));
            std::this_thread::sleep_for(2ms);
          }
        }) {}
  ~most_children() { end(); }
  most_children(const most_children&) = delete;
  most_children& operator=(const most_children&) = delete;
  int end() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
    return most_;
  }

 private:
  std::atomic<bool> over_{false};
  std::atomic<int> most_{0};
  std::thread thread_;
};

class ManyPlugins : public PluginObjects {
 protected:
  static std::string name_of(int i) { return fmt::format("tur{:03}", i); }
  static std::string kind_of(const std::string& name) { return "T" + name.substr(1); }
  // The plugin turner under a name and for a kind of its own.
  std::string pushed_as(const std::string& name) {
    const auto folder = dir_.path() / name;
    fs::create_directories(folder);
    auto text = renamed(whole(test_plugin("turner") / "plugin.json"), "turner", name);
    text = replaced(text, R"("kind":"MyApp","plural":"myapps")",
                    fmt::format(R"("kind":"{}","plural":"{}s")", kind_of(name), name));
    std::ofstream(folder / "plugin.json") << text;
    std::ofstream(folder / ("lib" + name + ".so"), std::ios::binary)
        << renamed(whole(test_plugin("turner") / "libturner.so"), "turner", name);
    const auto ref = registry_->ref(ns_ + "/" + name + ":v1");
    registry_->push(folder, ref);
    registry_->sign(ref);
    return ref;
  }
  static std::string crd_of(const std::string& name) {
    return fmt::format(
        "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {{name: {0}s.example.com}}\nspec:\n  group: example.com\n"
        "  scope: Namespaced\n  names: {{kind: {1}, plural: {0}s}}\n  versions:\n"
        "    - name: v1alpha1\n      served: true\n      storage: true\n"
        "      subresources: {{status: {{}}}}\n      schema: {{openAPIV3Schema: {{type: object, "
        "x-kubernetes-preserve-unknown-fields: true}}}}\n",
        name, kind_of(name));
  }
};

TEST_F(ManyPlugins, FiftyAtOnceAllComeToRun) {
  std::string crds;
  std::string installs;
  std::string objects;
  for (int i = 0; i < many; ++i) {
    const auto name = name_of(i);
    crds += crd_of(name);
    installs += "---\n" + manifest(pushed_as(name));
    objects += fmt::format(
        "---\napiVersion: example.com/v1alpha1\nkind: {}\nmetadata: {{name: one-of-{}}}\n"
        "spec: {{replicas: 1}}\n",
        kind_of(name), name);
  }
  c_.must({"apply", "-f", "-"}, crds);
  c_.must({"wait", "--for=condition=Established", "--timeout=80s", "-f", "-"}, crds);
  c_.must({"apply", "-n", ns_, "-f", "-"}, objects);
  auto d = started();
  ASSERT_TRUE(d->wait_ready(soon)) << d->process().log();
  most_children helpers(d->process().pid(), "oarlock-fetch");
  const auto begin = std::chrono::steady_clock::now();
  c_.must({"apply", "-f", "-"}, installs);
  EXPECT_TRUE(eventually(
      [&] { return c_.fields("configmaps", ns_, ".data.by").count("1") == many; }, long_enough))
      << c_.must({"get", "plugins"}) << d->process().log();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const int most = helpers.end();
  EXPECT_GT(most, 0) << "a blind test";
  EXPECT_LE(most, helpers_max);
  fmt::print("{} plugins work after {:.1f} s, {} helpers at once\n{}\n", many, took.count(), most,
             whole(fmt::format("/proc/{}/smaps_rollup", d->process().pid())));
  for (int i = 0; i < many; ++i)
    EXPECT_TRUE(comes_to("True Running", *d, name_of(i)));
  c_.must({"delete", "--wait=false", "-f", "-"}, installs);
  c_.must({"delete", "--wait=false", "-f", "-"}, crds);
}

}  // namespace
}  // namespace oarlock::testing
