// The README's walkthrough on the demo cluster: real pods, a real registry, the plain YAML.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

const std::filesystem::path demo_dir = source_dir() / "build/demo";
const std::string ready_status = ".status.conditions[?(@.type==\"Ready\")].status";

class DemoWalkthrough : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(std::filesystem::exists(demo_dir / "kubeconfig"))
        << "expected the demo cluster: run `make demo` first";
    demo.must({"delete", "namespace", "walk", "--ignore-not-found", "--wait=true"});
    demo.must({"create", "namespace", "walk"});
  }
  static void TearDownTestSuite() {
    demo.kubectl({"delete", "namespace", "walk", "--ignore-not-found", "--wait=false"});
  }
  static std::string apply(const std::string& yaml) {
    return demo.must({"apply", "-n", "walk", "-f", "-"}, yaml);
  }
  static void wait_ready(const std::string& name) {
    demo.must({"wait", "--for=condition=Ready", "myapp/" + name, "-n", "walk", "--timeout=60s"});
  }
  // How many pods of `app` are running and ready with `image`.
  static int running(const std::string& app, const std::string& image) {
    std::istringstream lines(
        demo.must({"get", "pods", "-n", "walk", "-l", "app=" + app, "-o",
                   "jsonpath={range .items[?(@.status.containerStatuses[0].ready==true)]}"
                   "{.spec.containers[0].image}{\"\\n\"}{end}"}));
    int count = 0;
    for (std::string line; std::getline(lines, line);)
      count += line == image ? 1 : 0;
    return count;
  }
  static ::testing::AssertionResult runs(const std::string& app, int pods,
                                         const std::string& image = "myapp:latest") {
    int found = -1;
    const bool ok = eventually([&] { return (found = running(app, image)) == pods; }, 60s);
    if (ok) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure()
           << app << ": expected " << pods << " ready pods of " << image << ", found " << found;
  }
  static inline const kubectl_user demo{demo_dir / "kubeconfig"};
};

TEST_F(DemoWalkthrough, TheWholeLifeOfOneMyApp) {
  EXPECT_EQ(apply(myapp_yaml("myapp-sample", 3)), "myapp.example.com/myapp-sample created\n");
  wait_ready("myapp-sample");
  EXPECT_TRUE(runs("myapp-sample", 3));
  EXPECT_EQ(demo.field("myapp", "myapp-sample", "walk", ".status.readyReplicas"), "3");

  EXPECT_EQ(apply(myapp_yaml("myapp-sample", 5)), "myapp.example.com/myapp-sample configured\n");
  EXPECT_TRUE(runs("myapp-sample", 5));
  wait_ready("myapp-sample");

  apply(myapp_yaml("myapp-sample", 5, "myapp:v2"));
  EXPECT_TRUE(runs("myapp-sample", 5, "myapp:v2"));
  wait_ready("myapp-sample");

  EXPECT_THAT(demo.must({"scale", "myapp", "myapp-sample", "-n", "walk", "--replicas=2"}),
              HasSubstr("scaled"));
  EXPECT_TRUE(runs("myapp-sample", 2, "myapp:v2"));

  demo.must({"delete", "deployment", "myapp-sample", "-n", "walk"});
  EXPECT_TRUE(runs("myapp-sample", 2, "myapp:v2"));

  EXPECT_THAT(demo.must({"delete", "-n", "walk", "-f", "-"}, myapp_yaml("myapp-sample", 2)),
              HasSubstr("deleted"));
  EXPECT_TRUE(eventually(
      [] {
        return demo
            .must({"get", "myapp,deployment,replicaset,pod", "-n", "walk", "-l", "app=myapp-sample",
                   "-o", "name"})
            .empty();
      },
      90s));
}

TEST_F(DemoWalkthrough, APodThatCannotPullItsImageIsNamedWithinSeconds) {
  apply(myapp_yaml("unpullable", 1, "no-such-image:latest"));
  std::string message;
  EXPECT_TRUE(eventually(
      [&] {
        message = demo.field("myapp", "unpullable", "walk",
                             ".status.conditions[?(@.type==\"Stalled\")].message");
        return message.find("unpullable-") != std::string::npos;
      },
      20s))
      << message;
  EXPECT_EQ(demo.field("myapp", "unpullable", "walk",
                       ".status.conditions[?(@.type==\"Stalled\")].status"),
            "True");
  EXPECT_THAT(message, HasSubstr("no-such-image"));
  EXPECT_THAT(demo.must({"describe", "myapp", "unpullable", "-n", "walk"}), HasSubstr("Warning"));
  apply(myapp_yaml("unpullable", 1));
  wait_ready("unpullable");
  EXPECT_EQ(demo.field("myapp", "unpullable", "walk",
                       ".status.conditions[?(@.type==\"Stalled\")].status"),
            "False");
}

TEST_F(DemoWalkthrough, AQuotaShowsInTheConditions) {
  demo.must({"create", "namespace", "walk-quota"});
  demo.must({"create", "quota", "none", "-n", "walk-quota", "--hard=pods=0"});
  demo.must({"apply", "-n", "walk-quota", "-f", "-"}, myapp_yaml("denied", 1));
  EXPECT_TRUE(eventually(
      [] {
        return demo.field("myapp", "denied", "walk-quota",
                          ".status.conditions[?(@.type==\"Stalled\")].message")
                   .find("quota") != std::string::npos;
      },
      30s))
      << demo.get("myapp", "denied", "walk-quota");
  demo.must({"delete", "namespace", "walk-quota", "--wait=false"});
}

TEST_F(DemoWalkthrough, LogsExecAndServicesWork) {
  apply(myapp_yaml("served", 1));
  wait_ready("served");
  const auto logs = demo.must({"logs", "-n", "walk", "deployment/served"});
  EXPECT_FALSE(logs.empty());
  demo.must({"expose", "deployment", "served", "-n", "walk", "--port=80", "--target-port=8080"});
  EXPECT_EQ(demo.field("service", "served", "walk", ".spec.ports[0].port"), "80");
}

// What `make demo` has made of the sample: a run to its end, by a trainer that reported to the
// daemon in the cluster, and a model that answers.
TEST_F(DemoWalkthrough, ThePipelineHasPublishedAModelThatAnswers) {
  const auto run = [](const char* path) {
    return demo.field("trainingpipeline", "breast-cancer", "default", path);
  };
  EXPECT_EQ(run(".status.phase"), "Succeeded") << run(".status.message");
  EXPECT_THAT(run(".status.progress.text"), HasSubstr("100%"));
  EXPECT_THAT(run(".status.model.text"), HasSubstr("breast-cancer"));
  EXPECT_EQ(demo.field("model", "breast-cancer", "default", ready_status), "True");
  const auto answer =
      demo.must({"create", "--raw",
                 "/api/v1/namespaces/default/services/breast-cancer-serving:http/proxy/predict",
                 "-f", source_dir() / "deploy/demo/breast-cancer-rows.json"});
  EXPECT_THAT(answer, HasSubstr(R"(["malignant", "malignant", "benign", "benign"])"));
}

// They have seen the daemon's pods come and go meanwhile.
TEST_F(DemoWalkthrough, MySQLHasThreeMembersOnTheirVolumes) {
  const auto mysql = [](const std::string& path) {
    return demo.field("mysqlcluster", "mysql-sample", "default", path);
  };
  EXPECT_TRUE(eventually([&] { return mysql(ready_status) == "True"; }, 120s))
      << demo.must({"describe", "mysqlcluster", "mysql-sample"});
  EXPECT_EQ(mysql(".status.synced"), "2/2");
  std::int64_t mebibytes = 0;
  for (const char* pod : {"mysql-sample-0", "mysql-sample-1", "mysql-sample-2"}) {
    EXPECT_EQ(demo.field("pod", pod, "default", ".status.conditions[?(@.type==\"Ready\")].status"),
              "True");
    const auto limit =
        demo.field("pod", pod, "default", ".spec.containers[0].resources.limits.memory");
    mebibytes += std::stoll(limit);
    EXPECT_THAT(limit, HasSubstr("Mi"));
  }
  EXPECT_LE(mebibytes, 2048);
}

TEST_F(DemoWalkthrough, MetricsAnswerOnTheHost) {
  const auto line_of = [](const char* name) {
    std::ifstream file(demo_dir / name);
    std::string line;
    std::getline(file, line);
    return line;
  };
  const auto ask = [&](std::vector<std::string> more) {
    std::vector<std::string> command{"curl",       "-s", "--noproxy", "*",
                                     "--max-time", "5",  "--cacert",  demo_dir / "metrics-ca"};
    command.insert(command.end(), more.begin(), more.end());
    command.push_back(line_of("metrics-url"));
    return run(command).out;
  };
  EXPECT_EQ(ask({"-o", "/dev/null", "-w", "%{http_code}"}), "401");
  const auto text = ask({"--oauth2-bearer", line_of("metrics-token")});
  // Without an error. A leader that came later may have seen nothing but what is done already.
  const auto reconciles = [&](const char* plugin, const char* controller) {
    const auto label = [](const char* name, const char* value) {
      return std::string(name) + "=\"" + value + "\"";
    };
    const auto count = [&](const char* result) {
      return metric(
          text, "controller_runtime_reconcile_total",
          {label("plugin", plugin), label("controller", controller), label("result", result)});
    };
    return count("success") + count("requeue_after");
  };
  EXPECT_GT(reconciles("myapp", "myapp"), 0);
  EXPECT_GT(reconciles("mysql-cluster", "mysqlcluster"), 0);
  EXPECT_GT(reconciles("ml-pipeline", "training-pipeline"), 0);
}

}  // namespace
}  // namespace oarlock::testing
