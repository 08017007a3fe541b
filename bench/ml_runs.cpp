// What the operator of training runs costs: CPU and writes for each pipeline, from apply to the Job
// of the first trial, and 200 pipelines at once of which four may run. A real API server and its
// Job controller; there is no node: the bench says for each pod how it ended, at once. Prints a
// table and writes build/bench/ml_runs.json.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <sstream>
#include <thread>

#include "bench/figures.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

constexpr const char* resource = "trainingpipelines.ml.oarlock.dev";
constexpr int crowd = 50, queued = 200, trials = 4;
constexpr auto observed_for = 30s;

const std::map<std::string, std::string> words = {
    {"prepare", R"({"ok":true,"result":{"sha256":"d","rows":150}})"},
    {"trial", R"({"ok":true,"result":{"metrics":{"accuracy":0.95}}})"},
    {"evaluate", R"({"ok":true,"result":{"trial":0,"metrics":{"accuracy":0.93}}})"},
};

std::string pipeline_yaml(const std::string& name, int concurrent) {
  return fmt::format(R"(apiVersion: ml.oarlock.dev/v1alpha1
kind: TrainingPipeline
metadata: {{name: {}}}
spec:
  dataset: {{source: builtin, name: iris}}
  algorithm: {{name: xgboost}}
  search: {{strategy: random, maxTrials: {}, space: {{subsample: {{min: 0.5, max: 1}}}}}}
  storage: {{claimName: shared}}
  queue: {{maxConcurrent: {}}}
---
)",
                     name, trials, concurrent);
}

const char* const claim_yaml = R"(apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shared}
spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}
)";

std::string quoted(const std::string& text) {
  std::string made;
  for (const char c : text)
    made += c == '"' ? "\\\"" : std::string(1, c);
  return made;
}

// Every pod that waits ends well.
void end_pods(const cluster& c, const std::string& ns) {
  std::istringstream pods(
      c.must({"get", "pods", "-n", ns, "--field-selector=status.phase=Pending", "-o",
              R"(jsonpath={range .items[*]}{.metadata.name}{" "})"
              R"({.metadata.labels.ml\.oarlock\.dev/unit}{"\n"}{end})"}));
  std::map<std::string, std::vector<std::string>> waiting;
  for (std::string pod, unit; pods >> pod >> unit;)
    waiting[unit.substr(0, unit.find('-'))].push_back(pod);
  for (const auto& [unit, names] : waiting) {
    std::vector<std::string> command{"patch",
                                     "pod",
                                     "-n",
                                     ns,
                                     "--subresource=status",
                                     "--type=merge",
                                     "-p",
                                     R"({"status":{"phase":"Succeeded","containerStatuses":[{)"
                                     R"("name":"main","image":"i","imageID":"","ready":false,)"
                                     R"("restartCount":0,"state":{"terminated":{"exitCode":0,)"
                                     R"("startedAt":"2026-03-01T12:00:00Z",)"
                                     R"("finishedAt":"2026-03-01T12:00:01Z","message":")" +
                                         quoted(words.at(unit)) + R"("}}}]}})"};
    command.insert(command.end(), names.begin(), names.end());
    (void)c.kubectl(
        command);  // one that is gone meanwhile fails it, and the others are asked again
  }
}

std::size_t succeeded(const cluster& c, const std::string& ns) {
  return c.fields(resource, ns, ".status.phase").count("Succeeded");
}

std::size_t count(const std::vector<std::string>& writes, const char* what) {
  return static_cast<std::size_t>(std::ranges::count_if(
      writes, [what](const std::string& one) { return one.find(what) != std::string::npos; }));
}

void prepare(const cluster& c) {
  c.must({"apply", "-f", source_dir() / "plugins/ml-pipeline/crds", "-f",
          source_dir() / "plugins/ml-pipeline/rbac"});
  for (const char* kind : {"models", "trainingpipelines", "algorithmtemplates"})
    c.must({"wait", "--for=condition=Established", std::string("crd/") + kind + ".ml.oarlock.dev"});
  for (const char* ns : {"one", "crowd", "queue"}) {
    c.make_namespace(ns);
    c.must({"apply", "-n", ns, "-f", "-"}, claim_yaml);
  }
}

void measure_one(const cluster& c, std::vector<figure>& out) {
  c.must({"apply", "-n", "one", "-f", "-"}, pipeline_yaml("one", 1));
  const auto has_pod_of = [&](const char* unit) {
    return !c.must({"get", "pods", "-n", "one", "-l", std::string("ml.oarlock.dev/unit=") + unit,
                    "-o", "name"})
                .empty();
  };
  const auto first = until([&] { return has_pod_of("prepare"); }, 60s);
  out.push_back({"apply to the first pod, with the queue", first, "ms"});
  end_pods(c, "one");
  out.push_back({"end of prepare to the first trial's pod",
                 until([&] { return has_pod_of("trial-0"); }, 60s), "ms"});
  until(
      [&] {
        end_pods(c, "one");
        return succeeded(c, "one") == 1;
      },
      120s);
}

void measure_crowd(const cluster& c, daemon& d, std::vector<figure>& out) {
  const auto from = c.audit_lines();
  const double before = cpu_seconds(d.process().pid());
  std::string all;
  for (int i = 0; i < crowd; ++i)
    all += pipeline_yaml(fmt::format("p-{:03}", i), crowd);
  c.must({"apply", "-n", "crowd", "-f", "-"}, all);
  const auto ms = until(
      [&] {
        end_pods(c, "crowd");
        return succeeded(c, "crowd") == crowd;
      },
      300s);
  const auto writes = c.writes("oarlock", from);
  const double each = crowd;
  out.push_back({"50 pipelines of 4 trials, all succeeded after", ms / 1000, "s"});
  out.push_back({"of it each: CPU of oarlockd",
                 (cpu_seconds(d.process().pid()) - before) * 1000 / each, "ms"});
  out.push_back({"each: writes", static_cast<double>(writes.size()) / each, ""});
  out.push_back(
      {"each: of them Jobs and ConfigMaps",
       static_cast<double>(count(writes, " jobs ") + count(writes, " configmaps ")) / each, ""});
  out.push_back({"each: of them of its status",
                 static_cast<double>(count(writes, " trainingpipelines ")) / each, ""});
  out.push_back(
      {"each: of them Events", static_cast<double>(count(writes, " events ")) / each, ""});
  out.push_back({"PSS then", memory_of(d.process().pid()).pss_mib, "MiB"});
}

// Pods that nobody ends: four runs hold the queue, the others wait.
void measure_queue(const cluster& c, daemon& d, std::vector<figure>& out) {
  const auto from = c.audit_lines();
  const double before = cpu_seconds(d.process().pid());
  std::string all;
  for (int i = 0; i < queued; ++i)
    all += pipeline_yaml(fmt::format("q-{:03}", i), 4);
  c.must({"apply", "-n", "queue", "-f", "-"}, all);
  until([&] { return c.fields(resource, "queue", ".status.phase").count("Preparing") == 4; }, 60s);
  std::this_thread::sleep_for(10s);  // the others have found their place
  const double settled = cpu_seconds(d.process().pid());
  const auto now = c.audit_lines();
  out.push_back(
      {"200 at once, four may: writes", static_cast<double>(c.writes("oarlock", from).size()), ""});
  out.push_back({"the same: CPU of oarlockd", settled - before, "s"});
  std::this_thread::sleep_for(observed_for);
  out.push_back(
      {"then 30 s of waiting: writes", static_cast<double>(c.writes("oarlock", now).size()), ""});
  out.push_back({"the same: CPU of oarlockd", cpu_seconds(d.process().pid()) - settled, "s"});
  out.push_back(
      {"under way then",
       static_cast<double>(c.fields(resource, "queue", ".status.phase").count("Preparing")), ""});
}

int measure() {
  const auto& c = shared_cluster();
  prepare(c);
  daemon::options with;
  with.plugins = {"ml-pipeline"};
  daemon d(c, with);
  if (!d.wait_ready(60s)) return 1;
  std::vector<figure> figures;
  measure_one(c, figures);
  measure_crowd(c, d, figures);
  measure_queue(c, d, figures);
  report("ml_runs", figures);
  return 0;
}

}  // namespace
}  // namespace oarlock::testing

int main() {
  return oarlock::testing::measure();
}
