// The show of an upgrade by kubectl: a new version of myapp, and then a broken one, while 100
// MyApps exist and one is edited each 100 ms.
#include <csignal>

#include "core/json/parse.hpp"
#include "tests/integration/changes.hpp"
#include "tests/integration/plugin_objects.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr int turns = 10;
constexpr int edits_per_second = 10;
constexpr const char* built_version = "0.1.0";  // of plugins/myapp

// What the other plugin of the test manages.
constexpr const char* turns_crd = R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: turns.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Turn, plural: turns}
  versions:
    - name: v1alpha1
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
)";

class PluginSwitch : public PluginObjects {
 protected:
  // myapp as the build made it, but for its version: of manifest and library, as they say it.
  fs::path myapp(const std::string& manifest_says, const std::string& library_says) {
    const auto folder = dir_.path() / ("myapp-" + manifest_says);
    const auto from = built("plugins/myapp");
    fs::create_directories(folder / "crds");
    std::ofstream(folder / "plugin.json")
        << replaced(whole(from / "plugin.json"), built_version, manifest_says);
    std::ofstream(folder / "libmyapp.so", std::ios::binary)
        << renamed(whole(from / "libmyapp.so"), built_version, library_says);
    const std::string crd = "crds/example.com_myapps.json";
    fs::copy(from / crd, folder / crd);
    return folder;
  }
  // The plugin turner for a kind of its own.
  fs::path other() {
    const auto folder = plugin("1");
    std::ofstream(folder / "plugin.json")
        << replaced(whole(test_plugin("turner") / "plugin.json"),
                    R"("kind":"MyApp","plural":"myapps")", R"("kind":"Turn","plural":"turns")");
    return folder;
  }
  // One field of every object of a kind, by its name.
  std::map<std::string, std::string> by_name(const std::string& kind, const std::string& path) {
    std::istringstream lines(
        c_.must({"get", kind, "-n", ns_, "-o",
                 "jsonpath={range .items[*]}{.metadata.name} {" + path + "}{\"\\n\"}{end}"}));
    std::map<std::string, std::string> found;
    std::string name;
    for (std::string value; lines >> name >> value;)
      found[name] = value;
    return found;
  }
  // Of the other plugin's objects and of what it made of them.
  std::map<std::string, std::string> versions_of_others() {
    auto all = by_name("turns", ".metadata.resourceVersion");
    for (const auto& [name, version] : by_name("configmaps", ".metadata.resourceVersion")) {
      if (name.starts_with("turn-")) all["ConfigMap " + name] = version;
    }
    EXPECT_EQ(all.size(), 2U * turns);
    return all;
  }
  // How often each Deployment was written by the plugin, as the API server has it.
  std::map<std::string, std::string> writes_by_name() {
    std::map<std::string, int> counts;
    const auto prefix = "patch deployments " + ns_ + "/";
    for (const auto& user : {user_in("oarlock-system"), user_in(ns_ + "-second")}) {
      for (const auto& write : c_.writes(user, 0)) {
        if (!write.starts_with(prefix)) continue;
        const auto end = write.find(' ', prefix.size());
        if (write[end + 1] == '2') ++counts[write.substr(prefix.size(), end - prefix.size())];
      }
    }
    std::map<std::string, std::string> out;
    for (const auto& [name, count] : counts)
      out[name] = std::to_string(count);
    return out;
  }
  static std::string user_in(const std::string& ns) {
    return "system:serviceaccount:" + ns + ":oarlock-plugin-myapp";
  }
  void make_turns() {
    c_.must({"apply", "-f", "-"}, turns_crd);
    c_.must({"wait", "--for=condition=Established", "crd/turns.example.com"});
    std::string yaml;
    for (int i = 0; i < turns; ++i) {
      yaml += fmt::format(
          "---\napiVersion: example.com/v1alpha1\nkind: Turn\nmetadata: {{name: turn-{0}}}\n"
          "spec: {{replicas: {0}}}\n",
          i);
    }
    c_.must({"apply", "-n", ns_, "--server-side", "-f", "-"}, yaml);
  }
  // MyApps with a Deployment each.
  ::testing::AssertionResult make_apps(int count, daemon& d) {
    std::string yaml;
    for (int i = 0; i < count; ++i)
      yaml += "---\n" + myapp_yaml(fmt::format("app-{}", i), 0, "app:0");
    c_.must({"apply", "-n", ns_, "--server-side", "-f", "-"}, yaml);
    const auto are_there = [&] {
      return by_name("deployments", ".metadata.uid").size() == static_cast<std::size_t>(count);
    };
    if (eventually(are_there, soon)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << d.process().log();
  }
  // The last change of each app has arrived.
  void expect_all_written(changes& client, int count, daemon& d) {
    client.stop();
    ASSERT_EQ(client.failure(), "");
    std::map<std::string, std::string> wanted;
    for (int i = 0; i < count; ++i)
      wanted[fmt::format("app-{}", i)] = "app:0";
    for (const auto& [name, number] : client.last())
      wanted[name] = fmt::format("app:{}", number);
    EXPECT_TRUE(eventually(
        [&] {
          return by_name("deployments", ".spec.template.spec.containers[0].image") == wanted &&
                 by_name("myapps", ".status.observedGeneration") ==
                     by_name("myapps", ".metadata.generation");
        },
        soon))
        << d.process().log();
  }
  // And none was written twice.
  void expect_all_written_once(changes& client, int count, daemon& d) {
    expect_all_written(client, count, d);
    // A write that changes the spec is a generation; one that says the same again is none.
    EXPECT_EQ(writes_by_name(), by_name("deployments", ".metadata.generation"));
  }
};

TEST_F(PluginSwitch, LosesNoChangeWritesNothingTwiceAndLeavesOthersAlone) {
  constexpr int apps = 100;
  const std::string next_version = "0.2.0";
  const auto others = pushed(other(), "v1");
  const auto first = pushed(myapp(built_version, built_version), "first");
  const auto next = pushed(myapp(next_version, next_version), "next");
  const auto broken = pushed(myapp("0.3.0", next_version), "broken");
  make_turns();
  c_.must({"apply", "-f", "-"}, manifest(others));
  c_.must({"apply", "-f", "-"}, manifest(first));
  auto d = started();
  ASSERT_TRUE(runs(built_version, *d, "myapp"));
  ASSERT_TRUE(comes_to("True Running", *d));
  ASSERT_TRUE(make_apps(apps, *d));
  ASSERT_TRUE(eventually(
      [&] { return c_.fields("configmaps", ns_, ".data.by").count("1") == turns; }, soon))
      << d->process().log();
  const auto of_others = versions_of_others();

  changes client(ns_, apps, edits_per_second, 1, &changes::image);
  ASSERT_TRUE(client.wait_for_more(15));
  apply_plugin("myapp", next);
  ASSERT_TRUE(runs(next_version, *d, "myapp"));
  ASSERT_TRUE(client.wait_for_more(15));
  apply_plugin("myapp", broken);
  ASSERT_TRUE(comes_to("True NotLoaded", *d, "myapp"));
  EXPECT_THAT(condition("Ready", "message", "myapp"), HasSubstr("version 0.2.0 runs; but"));
  ASSERT_TRUE(client.wait_for_more(15));
  expect_all_written_once(client, apps, *d);
  EXPECT_EQ(versions_of_others(), of_others);
  EXPECT_EQ(c_.field("plugin", "myapp", "", ".status.running.version"), next_version);
  EXPECT_THAT(c_.must({"get", "plugin", "myapp"}),
              ::testing::AllOf(HasSubstr("True"), HasSubstr("NotLoaded")));
}

// An edit of its home moves a plugin into the daemon and out of it again; nothing else moves.
TEST_F(PluginSwitch, AnEditOfItsHomeMovesItAndRestartsNothingElse) {
  constexpr int apps = 20;
  const auto others = pushed(other(), "v1");
  const auto image = pushed(myapp(built_version, built_version), "v1-of-myapp");
  make_turns();
  c_.must({"apply", "-f", "-"}, manifest(others));
  c_.must({"apply", "-f", "-"}, manifest(image));
  auto d = started();
  ASSERT_TRUE(runs(built_version, *d, "myapp"));
  ASSERT_TRUE(comes_to("True Running", *d));
  ASSERT_TRUE(make_apps(apps, *d));
  ASSERT_TRUE(eventually(
      [&] { return c_.fields("configmaps", ns_, ".data.by").count("1") == turns; }, soon))
      << d->process().log();
  const auto of_others = versions_of_others();
  const auto children = [&](const char* plugin) {
    return metric(d->metrics(), "oarlock_plugin_child_up", {fmt::format("plugin=\"{}\"", plugin)});
  };
  // As the log tells of each child that was started.
  const auto children_started = [&](const char* plugin) {
    std::istringstream lines(d->process().log());
    const auto mark = fmt::format("\"plugin\":\"{}\",\"pid\":", plugin);
    int count = 0;
    for (std::string line; std::getline(lines, line);)
      count += line.find(mark) != std::string::npos ? 1 : 0;
    return count;
  };
  ASSERT_EQ(children("myapp"), 1) << "a child is the default";

  changes client(ns_, apps, edits_per_second, 1, &changes::image);
  for (const std::string home : {"core", "child", "core"}) {
    ASSERT_TRUE(client.wait_for_more(10));
    c_.must({"patch", "plugin", "myapp", "--type=merge", "-p",
             R"({"spec":{"home":")" + home + R"("}})"});
    ASSERT_TRUE(eventually([&] { return children("myapp") == (home == "child" ? 1 : 0); }, soon))
        << home << d->process().log();
    ASSERT_TRUE(runs(built_version, *d, "myapp")) << home;
  }
  ASSERT_TRUE(client.wait_for_more(10));
  expect_all_written_once(client, apps, *d);
  EXPECT_EQ(versions_of_others(), of_others);
  EXPECT_EQ(children_started("myapp"), 2);
  EXPECT_EQ(children_started("turner"), 1);
  EXPECT_EQ(children("turner"), 1);
  EXPECT_TRUE(d->process().running());
}

// A rolling upgrade of the daemon itself: two releases beside each other, told apart by their
// version, both with the plugin loaded.
TEST_F(PluginSwitch, TheNextReleaseOfTheDaemonGoesOn) {
  constexpr int apps = 20;
  const auto next = dir_.path() / "next";
  fs::create_directories(next);
  for (const char* program : {"oarlockd", "oarlock-plugin-host"}) {
    std::ofstream(next / program, std::ios::binary)
        << renamed(whole(built("bin") / program), built_version, "0.2.0");
    fs::permissions(next / program, fs::perms::owner_all);
  }
  fs::create_symlink(fetch_tool(), next / "oarlock-fetch");

  const auto image = pushed(myapp(built_version, built_version), "v1");
  c_.must({"apply", "-f", "-"}, manifest(image));
  auto old = started(true);
  ASSERT_TRUE(runs(built_version, *old, "myapp"));
  ASSERT_TRUE(make_apps(apps, *old));
  changes client(ns_, apps, edits_per_second, 1, &changes::image);
  auto fresh = started(true, "other", next / "oarlockd");
  ASSERT_TRUE(eventually(
      [&] { return fresh->probe("/readyz").find("[+]plugin/myapp ok") != std::string::npos; },
      soon))
      << fresh->probe("/readyz") << fresh->process().log();
  EXPECT_EQ(metric(fresh->metrics(), "oarlock_build_info", {"version=\"0.2.0\""}), 1);
  EXPECT_EQ(metric(old->metrics(), "oarlock_build_info", {"version=\"0.1.0\""}), 1);
  ASSERT_TRUE(client.wait_for_more(10));
  old->process().send(SIGTERM);
  ASSERT_EQ(old->process().wait(60s), 0) << old->process().log();
  ASSERT_TRUE(client.wait_for_more(15));
  expect_all_written_once(client, apps, *fresh);
  EXPECT_EQ(ready("myapp"), "True Running");
}

// Two daemons, one Plugin: the second has accounts in a namespace of its own, so that the API
// server tells their writes apart.
class PluginMove : public PluginSwitch {
 protected:
  static constexpr int apps = 20;

  void begin() {
    second_ = ns_ + "-second";
    const std::string account = "oarlock-plugin-myapp";
    const auto image = pushed(myapp(built_version, built_version), "v1");
    c_.must({"apply", "-f", "-"}, manifest(image));
    c_.make_namespace(second_);
    c_.must({"create", "serviceaccount", account, "-n", second_});
    c_.must({"create", "rolebinding", "second", "-n", ns_, "--role=" + account,
             "--serviceaccount=" + second_ + ":" + account});
    c_.must({"create", "role", "tokens", "-n", second_, "--verb=create",
             "--resource=serviceaccounts/token", "--resource-name=" + account});
    c_.must({"create", "rolebinding", "tokens", "-n", second_, "--role=tokens", "--user=oarlock"});
    from_ = c_.audit_lines();
    one_ = started();
    two_ = started(false, "second", {}, {"--runtime-name=two", "--plugin-namespace=" + second_});
    ASSERT_TRUE(runs(built_version, *one_, "myapp"));
    ASSERT_TRUE(make_apps(apps, *one_));
  }
  void move_to(const std::string& runtime) {
    c_.must({"patch", "plugin", "myapp", "--type=merge", "-p",
             R"({"spec":{"runtime":")" + runtime + R"("}})"});
  }
  std::string named() { return c_.field("plugin", "myapp", "", ".status.running.runtime"); }
  ::testing::AssertionResult runs_at(const std::string& runtime, daemon& d) {
    if (!eventually([&] { return named() == runtime; }, soon)) {
      return ::testing::AssertionFailure() << named() << ", not " << runtime << "\n"
                                           << one_->process().log() << two_->process().log();
    }
    return comes_to("True Running", d, "myapp");
  }
  // Its child stands still in the middle of a plan, so that it cannot end the plugin.
  ::testing::AssertionResult stop_child(daemon& d) {
    const std::string mark = R"("plugin":"myapp","pid":)";
    const auto log = d.process().log();
    const auto at = log.rfind(mark);
    if (at == std::string::npos) return ::testing::AssertionFailure() << log;
    child_ = std::stoi(log.substr(at + mark.size()));
    ::kill(child_, SIGSTOP);
    const auto is_at_work = [&] {
      return metric(d.metrics(), "controller_runtime_active_workers", {"plugin=\"myapp\""}) > 0;
    };
    if (eventually(is_at_work, soon)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "no plan came\n" << d.metrics();
  }
  // Moved, and both know it; the one that runs it cannot end it yet.
  ::testing::AssertionResult waits_for(const std::string& runtime, daemon& there) {
    const auto is_known = [&] {
      return condition("Ready", "reason", "myapp") == "Moving" &&
             there.process().log().find("runtime " + runtime + " is to end it first") !=
                 std::string::npos;
    };
    if (eventually(is_known, soon) && named() == runtime) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << c_.get("plugin", "myapp", "") << there.process().log();
  }
  // Who wrote for the plugin, in the order in which the API server was asked, each turn once.
  std::vector<std::string> turns_of_writers() {
    std::map<std::string, std::string> by_time;
    std::ifstream in(c_.dir() / "cluster/audit.log");
    std::size_t number = 0;
    for (std::string line; std::getline(in, line); ++number) {
      if (number < from_) continue;
      const auto entry = json::parse(line);
      if (!entry) continue;
      const std::string user(json::string_at(*entry, "/user/username"));
      const auto verb = json::string_at(*entry, "/verb");
      const bool is_theirs = user == user_in("oarlock-system") || user == user_in(second_);
      const bool reads = verb == "get" || verb == "list" || verb == "watch";
      const auto resource = json::string_at(*entry, "/objectRef/resource");
      // Reviews change nothing; events are told in the background.
      if (!is_theirs || reads || (resource != "deployments" && resource != "myapps")) continue;
      const std::string time(json::string_at(*entry, "/requestReceivedTimestamp"));
      by_time[time + " " + std::to_string(number)] = user;
    }
    std::vector<std::string> order;
    for (const auto& [time, user] : by_time) {
      const std::string runtime = user == user_in(second_) ? "two" : "oarlock";
      if (order.empty() || order.back() != runtime) order.push_back(runtime);
    }
    return order;
  }
  void TearDown() override {
    if (child_ > 0) ::kill(child_, SIGCONT);
    PluginSwitch::TearDown();
  }

  std::string second_;
  std::size_t from_ = 0;
  pid_t child_ = 0;
  std::unique_ptr<daemon> one_;
  std::unique_ptr<daemon> two_;
};

TEST_F(PluginMove, IsRunByOneRuntimeAtATimeAndLosesNoChange) {
  begin();
  changes client(ns_, apps, edits_per_second, 1, &changes::image);
  for (const std::string runtime : {"two", "oarlock", "two"}) {
    ASSERT_TRUE(client.wait_for_more(10));
    move_to(runtime);
    ASSERT_TRUE(runs_at(runtime, runtime == "two" ? *two_ : *one_));
  }
  ASSERT_TRUE(client.wait_for_more(10));

  // One that drains slowly is waited for.
  ASSERT_TRUE(stop_child(*two_));
  move_to("oarlock");
  ASSERT_TRUE(waits_for("two", *one_));
  ASSERT_TRUE(client.wait_for_more(10));
  EXPECT_EQ(named(), "two");
  ::kill(std::exchange(child_, 0), SIGCONT);
  ASSERT_TRUE(runs_at("oarlock", *one_));
  ASSERT_TRUE(client.wait_for_more(10));
  expect_all_written_once(client, apps, *one_);
  EXPECT_THAT(turns_of_writers(),
              ::testing::ElementsAre("oarlock", "two", "oarlock", "two", "oarlock"));
}

TEST_F(PluginMove, GoesOnWhenEitherRuntimeDiesInIt) {
  begin();
  changes client(ns_, apps, edits_per_second, 1, &changes::image);
  ASSERT_TRUE(client.wait_for_more(10));
  ASSERT_TRUE(stop_child(*one_));
  move_to("two");
  ASSERT_TRUE(waits_for("oarlock", *two_));
  two_->process().send(SIGKILL);
  one_->process().send(SIGKILL);
  ::kill(std::exchange(child_, 0), SIGKILL);
  two_ = started(false, "second", {}, {"--runtime-name=two", "--plugin-namespace=" + second_});
  ASSERT_TRUE(eventually(
      [&] { return two_->process().log().find("is to end it first") != std::string::npos; }, soon))
      << two_->process().log();
  EXPECT_EQ(named(), "oarlock");
  one_ = started();
  ASSERT_TRUE(runs_at("two", *two_));
  EXPECT_THAT(two_->process().log(), ::testing::Not(HasSubstr("did not answer")));
  ASSERT_TRUE(client.wait_for_more(10));
  expect_all_written(client, apps, *two_);
  EXPECT_THAT(turns_of_writers(), ::testing::ElementsAre("oarlock", "two"));
}

}  // namespace
}  // namespace oarlock::testing
