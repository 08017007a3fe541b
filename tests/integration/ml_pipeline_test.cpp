// Training runs on a real API server with its Job controller. What is not there is a node: the test
// says for each pod how it ended, as a kubelet would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* ns = "lab";
const std::string pipelines = "trainingpipelines.ml.oarlock.dev";

const char* const model_yaml = R"(
apiVersion: ml.oarlock.dev/v1alpha1
kind: Model
metadata: {name: cancer}
spec: {storage: {size: 1Gi}}
---
)";

std::string pipeline_yaml(const std::string& name, const std::string& more) {
  return "apiVersion: ml.oarlock.dev/v1alpha1\nkind: TrainingPipeline\nmetadata: {name: " + name +
         "}\nspec:\n  dataset: {source: builtin, name: iris}\n  algorithm: {name: xgboost}\n"
         "  storage: {size: 1Gi}\n  queue: {maxConcurrent: 8}\n" +
         more + "---\n";
}

/// How the pods of a unit end: exit code and last word.
using ends = std::map<std::string, std::pair<int, std::string>>;
const ends usual = {
    {"prepare", {0, R"({"ok":true,"result":{"sha256":"d","rows":150}})"}},
    {"trial-0", {0, R"({"ok":true,"result":{"metrics":{"accuracy":0.95}}})"}},
    {"evaluate", {0, R"({"ok":true,"result":{"trial":0,"metrics":{"accuracy":0.93}}})"}},
    {"publish", {0, R"({"ok":true,"result":{"digest":"sha-of-it"}})"}},
};

class ml_pipeline : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    c.make_namespace(ns);
    c.must({"apply", "-f", source_dir() / "plugins/ml-pipeline/crds", "-f",
            source_dir() / "plugins/ml-pipeline/rbac"});
    for (const char* kind : {"models", "trainingpipelines", "algorithmtemplates"}) {
      c.must(
          {"wait", "--for=condition=Established", std::string("crd/") + kind + ".ml.oarlock.dev"});
    }
  }
  void SetUp() override {
    d_ = start();
    ASSERT_TRUE(d_->wait_ready(60s));
  }
  static std::unique_ptr<daemon> start(std::vector<std::string> flags = {}) {
    return std::make_unique<daemon>(c,
                                    daemon::options{{"ml-pipeline"}, std::move(flags), false, {}});
  }
  static void apply(const std::string& yaml) { c.must({"apply", "-n", ns, "-f", "-"}, yaml); }
  static std::string status(const std::string& name, const std::string& field) {
    return c.field(pipelines, name, ns, ".status." + field);
  }

  // Every pod of this pipeline that waits for a node ends as `how` says of its unit.
  static void end_pods(const std::string& pipeline, const ends& how) {
    std::istringstream pods(
        c.must({"get", "pods", "-n", ns, "-l", "ml.oarlock.dev/pipeline=" + pipeline, "-o",
                R"(jsonpath={range .items[?(@.status.phase=="Pending")]}{.metadata.name}{" "})"
                R"({.metadata.labels.ml\.oarlock\.dev/unit}{"\n"}{end})"}));
    for (std::string pod, unit; pods >> pod >> unit;) {
      const auto& [code, word] = how.at(unit);
      end_pod(pod, code, word);
    }
  }
  static void end_pod(const std::string& pod, int code, const std::string& word) {
    std::string quoted;
    for (const char ch : word)
      quoted += ch == '"' ? "\\\"" : std::string(1, ch);
    say(pod, code == 0 ? "Succeeded" : "Failed",
        R"("terminated":{"exitCode":)" + std::to_string(code) + R"(,"message":")" + quoted +
            R"(","startedAt":"2026-03-01T12:00:00Z","finishedAt":"2026-03-01T12:00:01Z"})");
  }
  // As the kubelet does.
  static void say(const std::string& pod, const std::string& phase, const std::string& state) {
    c.must({"patch", "pod", pod, "-n", ns, "--subresource=status", "--type=merge", "-p",
            R"({"status":{"phase":")" + phase +
                R"(","containerStatuses":[{"name":"main","image":"i","imageID":"","ready":false,)"
                R"("restartCount":0,"state":{)" +
                state + "}}]}}"});
  }
  /// The pod of a unit, once there is one.
  static std::string pod_of(const std::string& pipeline, const std::string& unit) {
    std::string name;
    const bool is_there = eventually(
        [&] {
          name = c.must({"get", "pods", "-n", ns, "-l",
                         "ml.oarlock.dev/pipeline=" + pipeline + ",ml.oarlock.dev/unit=" + unit,
                         "-o", "jsonpath={.items[*].metadata.name}"});
          return !name.empty();
        },
        60s);
    EXPECT_TRUE(is_there) << "no pod of " << pipeline << " " << unit;
    return name;
  }

  static ::testing::AssertionResult comes_to(const std::string& name, const std::string& phase,
                                             const ends& how) {
    const bool ok = eventually(
        [&] {
          end_pods(name, how);
          return status(name, "phase") == phase;
        },
        120s);
    if (ok) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << c.get(pipelines, name, ns);
  }

  std::unique_ptr<daemon> d_;
  static inline cluster& c = shared_cluster();
};

TEST_F(ml_pipeline, ARunThatIsKilledInEachStageEndsWithOneVersion) {
  apply(model_yaml + pipeline_yaml("cancer", "  publish: {model: cancer}\n"));
  // In each stage the daemon dies before it hears how the Job of that stage ended.
  for (const char* unit : {"prepare", "trial-0", "evaluate", "publish"}) {
    const std::string job = std::string("cancer-1-") + unit + "-a1";
    ASSERT_TRUE(eventually([&] { return !c.get("job", job, ns).empty(); }, 60s)) << job;
    ASSERT_TRUE(eventually(
        [&] {
          return c.fields("pods", ns, ".metadata.labels.ml\\.oarlock\\.dev/unit").contains(unit);
        },
        60s));
    ASSERT_EQ(::kill(d_->process().pid(), SIGKILL), 0);
    d_.reset();
    end_pods("cancer", usual);
    d_ = start();
  }
  ASSERT_TRUE(comes_to("cancer", "Succeeded", usual));
  EXPECT_EQ(c.field("model", "cancer", ns, ".spec.versions[*].digest"), "sha-of-it");
  EXPECT_EQ(c.field("model", "cancer", ns, ".spec.aliases[0].version"), "1");
  EXPECT_EQ(status("cancer", "model.text"), "cancer v1");
  EXPECT_EQ(status("cancer", "units[*].attempt"), "1 1 1 1");
  EXPECT_THAT(c.must({"get", "tp", "cancer", "-n", ns}), HasSubstr("Succeeded   100%"));
}

TEST_F(ml_pipeline, G2_AMistakeOfTheUserIsNotTriedAgain) {
  auto how = usual;
  how["trial-0"] = {42, R"({"ok":false,"message":"no such thing"})"};
  apply(pipeline_yaml("mistaken", ""));
  ASSERT_TRUE(comes_to("mistaken", "Failed", how));
  EXPECT_EQ(status("mistaken", "failure.class"), "User");
  EXPECT_EQ(status("mistaken", "message"), "trial-0: no such thing");
  EXPECT_TRUE(c.get("job", "mistaken-1-trial-0-a2", ns).empty());
}

// The trainer's own reporter, in the place of a pod: with that pod's environment, a token that is
// bound to it, and the certificates that it has mounted. True: the daemon has taken a report.
bool report(cluster& c, const std::string& pod, const std::string& reaches, const scratch_dir& at,
            int step) {
  const auto env = [&](const char* name) {
    return c.field("pod", pod, ns,
                   std::string(".spec.containers[0].env[?(@.name==\"") + name + "\")].value");
  };
  const auto source = ".spec.volumes[?(@.name==\"inbound\")].projected.sources";
  const auto audience =
      c.field("pod", pod, ns, source + std::string("[0].serviceAccountToken.audience"));
  std::ofstream(at.path() / "token")
      << c.must({"create", "token", "default", "-n", ns, "--audience=" + audience,
                 "--bound-object-kind=Pod", "--bound-object-name=" + pod,
                 "--bound-object-uid=" + c.field("pod", pod, ns, ".metadata.uid")});
  std::ofstream(at.path() / "ca.crt")
      << c.field("configmap", c.field("pod", pod, ns, source + std::string("[1].configMap.name")),
                 ns, ".data.ca\\.crt");
  // The name of the Service is of no use out here.
  auto url = env("OARLOCK_INBOUND_URL");
  url = "https://" + reaches + url.substr(url.find("/v1/"));
  const char* const program = R"(
import sys, time
from oarlock_trainer.contract import Work
from oarlock_trainer.progress import Progress
told = Progress(Work(), 100, between=0.1)
told.step(int(sys.argv[1]), {"loss": 0.5})
end = time.monotonic() + 60
while told.sent == 0 and time.monotonic() < end:
    time.sleep(0.01)
sys.exit(told.sent == 0))";
  const auto done =
      run({"env", "PYTHONDONTWRITEBYTECODE=1",
           "PYTHONPATH=" + (source_dir() / "plugins/ml-pipeline/trainer").string(),
           "OARLOCK_UNIT=" + env("OARLOCK_UNIT"), "OARLOCK_ATTEMPT=" + env("OARLOCK_ATTEMPT"),
           "OARLOCK_INBOUND_URL=" + url, "OARLOCK_INBOUND_CA=" + (at.path() / "ca.crt").string(),
           "OARLOCK_INBOUND_TOKEN=" + (at.path() / "token").string(), "python3", "-c", program,
           std::to_string(step)});
  return done.exit_code == 0;
}

TEST_F(ml_pipeline, G10_WhatItsPodReportsMovesARunAndWhatAnotherSaysOfItDoesNot) {
  c.must({"apply", "-f", source_dir() / "deploy/inbound.yaml"});
  d_.reset();
  d_ = start({"--inbound-bind-address=127.0.0.1:0"});
  ASSERT_TRUE(d_->wait_ready(60s));
  const auto address = d_->inbound_address();
  apply(pipeline_yaml("told", ""));
  end_pod(pod_of("told", "prepare"), 0, usual.at("prepare").second);
  const auto trains = pod_of("told", "trial-0");
  say(trains, "Running", R"("running":{"startedAt":"2026-03-01T12:00:00Z"})");
  // One like it that is not the Job's.
  const char* const like_it = R"({apiVersion, kind, spec, metadata: {name: "stranger",
    labels: .metadata.labels | with_entries(select(.key | test("oarlock|managed")))}})";
  const auto pod = c.must({"get", "pod", trains, "-n", ns, "-o", "json"});
  const auto copied = run({"jq", like_it}, pod);
  ASSERT_EQ(copied.exit_code, 0) << copied.err;
  apply(copied.out);

  const scratch_dir files;
  ASSERT_TRUE(report(c, "stranger", address, files, 99)) << d_->process().log();
  ASSERT_TRUE(report(c, trains, address, files, 40)) << d_->process().log();
  EXPECT_TRUE(eventually([&] { return status("told", "progress.step") == "40"; }, 60s))
      << c.get(pipelines, "told", ns) << d_->process().log();
  EXPECT_EQ(status("told", "progress.percent"), "39");
  EXPECT_EQ(status("told", "progress.metrics.loss"), "0.5");
  end_pod(trains, 0, usual.at("trial-0").second);
  ASSERT_TRUE(comes_to("told", "Succeeded", usual));
  EXPECT_TRUE(
      eventually([&] { return c.get("configmap", "told-oarlock-inbound", ns).empty(); }, 60s));
}

TEST_F(ml_pipeline, G20_ADeletedPipelineTakesItsJobsAlong) {
  apply(pipeline_yaml("gone", ""));
  end_pod(pod_of("gone", "prepare"), 0, usual.at("prepare").second);
  ASSERT_FALSE(pod_of("gone", "trial-0").empty());
  c.must({"delete", pipelines, "gone", "-n", ns});
  EXPECT_TRUE(eventually(
      [&] {
        return c.must({"get", "jobs,pods,configmaps", "-n", ns, "-l",
                       "ml.oarlock.dev/pipeline=gone", "-o", "name"})
                   .empty() &&
               c.get("configmap", "gone-1", ns).empty();
      },
      60s))
      << c.must({"get", "jobs,pods,configmaps", "-n", ns, "-o", "name"});
}

TEST_F(ml_pipeline, G16_BelowAGateTheModelIsUntouched) {
  apply(model_yaml +
        pipeline_yaml(
            "below",
            "  publish: {model: cancer}\n  evaluation: {gates: [{metric: accuracy, op: '>=', "
            "value: 0.99}]}\n"));
  const auto before = c.field("model", "cancer", ns, ".spec");
  ASSERT_TRUE(comes_to("below", "Rejected", usual));
  EXPECT_THAT(status("below", "message"), HasSubstr("accuracy 0.93, wanted >= 0.99"));
  EXPECT_EQ(c.field("model", "cancer", ns, ".spec"), before);
}

TEST_F(ml_pipeline, WhatTheSchemaCanRefuseItDoesInASentence) {
  const std::string head =
      "apiVersion: ml.oarlock.dev/v1alpha1\nkind: TrainingPipeline\n"
      "metadata: {name: bad}\nspec:\n";
  const std::string data = "  dataset: {source: builtin, name: iris}\n";
  const std::string rest = "  algorithm: {name: mlp}\n  storage: {size: 1Gi}\n";
  const std::pair<std::string, const char*> all[] = {
      {"  dataset: {source: builtin, name: nope}\n" + rest, "must be breast_cancer, digits, iris"},
      {"  dataset: {source: http, target: label}\n" + rest, "needs url and sha256"},
      {"  dataset: {source: builtin, name: iris, split: {test: 0.5, validation: 0.5}}\n" + rest,
       "less than a tenth"},
      {data + "  algorithm: {}\n  storage: {size: 1Gi}\n", "needs either name"},
      {data + "  algorithm: {name: mlp}\n  storage: {}\n", "needs either claimName"},
      {data + rest + "  search: {strategy: grid}\n", "spec.search.space is missing"},
      {data + rest + "  search: {strategy: grid, space: {a: {min: 2, max: 1}}}\n",
       "min must be below max"},
      {data + rest + "  publish: {}\n", "spec.publish.model is missing"},
  };
  for (const auto& [spec, says] : all) {
    const auto answer = c.kubectl({"apply", "-n", ns, "-f", "-"}, head + spec);
    EXPECT_NE(answer.exit_code, 0) << spec;
    EXPECT_THAT(answer.err, HasSubstr(says));
  }
}

}  // namespace
}  // namespace oarlock::testing
