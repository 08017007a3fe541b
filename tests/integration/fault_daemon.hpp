#pragma once
// oarlockd with the plugin myapp behind a gate, seen by watches that go around the gate.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/json/parse.hpp"
#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {

using namespace std::chrono_literals;

inline const kube::resource my_apps{"example.com", "v1alpha1", "MyApp", "myapps", true};
inline const kube::resource deployments{"apps", "v1", "Deployment", "deployments", true};
inline const std::string apps_path = "/apis/example.com/v1alpha1/";
inline const std::string deployments_path = "/apis/apps/v1/";

class FaultDaemon : public ::testing::Test {
 protected:
  FaultDaemon() { c.make_namespace(ns); }
  static std::string next_namespace() {
    static int count = 0;
    return "daemon-" + std::to_string(++count);
  }

  void start(bool leader_elect = false) {
    oarlockd.reset();
    oarlockd = std::make_unique<daemon>(
        c, daemon::options{{"myapp"}, {}, leader_elect, gate_.kubeconfig()});
    ASSERT_TRUE(oarlockd->wait_ready(60s)) << oarlockd->process().log();
  }
  void apply(const std::string& name, int replicas) {
    const auto body = fmt::format(
        R"({{"apiVersion":"example.com/v1alpha1","kind":"MyApp","metadata":{{"name":"{}"}},)"
        R"("spec":{{"replicas":{},"image":"myapp:latest"}}}})",
        name, replicas);
    kube::apply_options by{"user", true, {}, false};
    const auto done = admin.call(admin.client().apply(my_apps, ns, name, body, by));
    ASSERT_TRUE(done) << done.error().message;
    const auto answer = json::parse(done->body);
    ASSERT_TRUE(answer) << answer.error().message;
    generations_[name] = json::find(*answer, "/metadata/generation")->GetInt64();
  }
  std::string member(const cache::informer& view, const std::string& name,
                     const std::string& pointer) {
    const auto found = view.get({ns, name});
    if (!found) return "-";
    const auto parsed = json::parse(found->json());
    const auto* at = parsed ? json::find(*parsed, pointer) : nullptr;
    return at == nullptr ? "" : json::write(*at);
  }
  // The Deployment is as wanted and the MyApp's status is about what was applied last, which the
  // watch of the MyApps may show later than the other one shows the Deployment.
  bool done(const std::string& name, int replicas) {
    const auto app = apps.get({ns, name});
    return app && app->meta().generation >= generations_[name] &&
           member(children, name, "/spec/replicas") == std::to_string(replicas) &&
           member(apps, name, "/status/observedGeneration") ==
               std::to_string(app->meta().generation);
  }
  ::testing::AssertionResult converges(const std::string& name, int replicas) {
    if (eventually([&] { return done(name, replicas); }, 60s)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << name << " does not converge\n"
                                         << member(apps, name, "/status") << "\n"
                                         << oarlockd->process().log();
  }
  // Writes that reached the gate whose target contains `part`, without events and leases.
  std::vector<std::string> writes(const std::string& part) {
    std::vector<std::string> out;
    for (const auto& r : gate_.requests()) {
      if (!r.is_write() || r.target.find("/events") != std::string::npos) continue;
      if (r.target.find(part) != std::string::npos) out.push_back(r.method + " " + r.target);
    }
    return out;
  }
  // How often it was created, updated and deleted, as the API server told it: "+~~-".
  static std::string steps_of(const std::string& name, const fault_subject& seen_by) {
    std::string out;
    for (const auto& step : seen_by.story()) {
      if (step.substr(1) == name) out += step[0];
    }
    return out;
  }

  cluster& c = shared_cluster();
  const std::string ns = next_namespace();
  fault_gate gate_{c.kubeconfig("oarlock")};
  fault_subject admin{admin_kubeconfig()};
  const cache::informer& apps = admin.follow(ns, my_apps);
  fault_subject child_watch{admin_kubeconfig()};
  const cache::informer& children = child_watch.follow(ns, deployments);
  std::unique_ptr<daemon> oarlockd;
  std::map<std::string, std::int64_t> generations_;  // by name, as the API server answered
};

// Without the controller manager nobody writes but the test and the daemon, so that counts are
// exact.
class FaultWrites : public FaultDaemon {
 protected:
  FaultWrites() { c.component("pause", "kube-controller-manager"); }
  ~FaultWrites() override { c.component("resume", "kube-controller-manager"); }

  static gate_rule nth_write_of(const std::string& ns, const std::string& name, int nth,
                                gate_fault what) {
    return {"WRITE", "/apis/", "/namespaces/" + ns + "/", "/events", nth, 1, std::move(what), name};
  }
  // What happened to each in one life.
  struct counts {
    std::string child, app;
  };
  // Nothing is left to do: the Deployment's controller sleeps, so this is the last thing to say.
  bool settled(const std::string& name, int replicas) {
    return done(name, replicas) &&
           member(apps, name, "/status/conditions").find("DeploymentNotObserved") !=
               std::string::npos;
  }
  // One life of a MyApp. A daemon that died meanwhile is started again.
  counts live(const std::string& name) {
    for (const int replicas : {2, 3}) {
      apply(name, replicas);
      const auto turned = [&] {
        if (!oarlockd->process().running()) start();
        return settled(name, replicas);
      };
      EXPECT_TRUE(eventually(turned, 60s)) << name << "\n" << oarlockd->process().log();
    }
    // A write that comes too often would come now.
    EXPECT_FALSE(eventually([&] { return !settled(name, 3); }, 200ms));
    return {steps_of(name, child_watch), steps_of(name, admin)};
  }
};

}  // namespace oarlock::testing
