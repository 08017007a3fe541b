// The hot paths of one reconcile without a cluster: decode, compare, queue; and a plan in each
// home.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/system_clock.hpp"
#include "core/cache/object_decoder.hpp"
#include "core/controller/child.hpp"
#include "core/controller/work_queue.hpp"
#include "core/plugin/child_host.hpp"
#include "core/plugin/child_process.hpp"

namespace oarlock {
namespace {

const kube::resource myapps{"example.com", "v1alpha1", "MyApp", "myapps", true};
const kube::resource deployments{"apps", "v1", "Deployment", "deployments", true};

const std::string intent_json =
    R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":3,)"
    R"("selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},)"
    R"("spec":{"containers":[{"name":"app","image":"myapp:latest","resources":{"limits":)"
    R"({"memory":"128Mi","cpu":"500m"}}}]}}}})";

controller::controller_spec spec() {
  return {"myapp", "myapp", myapps, {deployments}, {}, 16, {}};
}

cache::object primary() {
  cache::object_meta meta;
  meta.key = {"default", "web"};
  meta.uid = "6f1ed002-ab5c-4c7f-8bd0-4f7a1a9d1a11";
  return {meta, "{}"};
}

void decode_watch_line(benchmark::State& state) {
  const auto made = controller::complete_child({0, intent_json}, spec(), primary());
  const auto line = R"({"type":"MODIFIED","object":)" + made->body + "}";
  cache::object_decoder decoder(deployments);
  for (auto _ : state)
    benchmark::DoNotOptimize(decoder.decode_watch_line(line));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * line.size()));
}
BENCHMARK(decode_watch_line);

void complete_child(benchmark::State& state) {
  const auto owner = primary();
  const auto declared = spec();
  for (auto _ : state) {
    benchmark::DoNotOptimize(controller::complete_child({0, intent_json}, declared, owner));
  }
}
BENCHMARK(complete_child);

void decide_unchanged_child(benchmark::State& state) {
  const auto owner = primary();
  const auto made = *controller::complete_child({0, intent_json}, spec(), owner);
  cache::object_decoder decoder(deployments);
  const auto live = decoder.decode_watch_line(R"({"type":"ADDED","object":)" + made.body + "}");
  for (auto _ : state) {
    benchmark::DoNotOptimize(controller::decide_child(made, live->object.get(), owner));
  }
}
BENCHMARK(decide_unchanged_child);

void queue_add_take_done(benchmark::State& state) {
  controller::work_queue queue;
  const steady_time now{};
  std::vector<cache::object_key> keys;
  for (int i = 0; i < 1000; ++i)
    keys.push_back({"default", fmt::format("app-{:04}", i)});
  std::size_t next = 0;
  for (auto _ : state) {
    queue.add(keys[next++ % keys.size()], now);
    const auto taken = queue.take(now);
    queue.done(taken->key, now);
  }
}
BENCHMARK(queue_add_take_done);

// Private memory of the children of this process.
double children_private_kib() {
  double sum = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream children(thread.path() / "children");
    for (pid_t pid = 0; children >> pid;) {
      if (const auto used = plugin::usage_of(pid)) {
        sum += static_cast<double>(used->private_bytes) / 1024;
      }
    }
  }
  return sum;
}

// What a plan costs around the plugin's own work, with a primary of so many bytes.
void plan_call(benchmark::State& state, bool in_child) {
  static system_clock clock;
  static const auto metrics = make_prometheus_registry();
  plugin::child_settings settings;
  settings.program = HOST_PROGRAM;
  auto loaded = in_child ? plugin::load_plugin_in_child(OBSERVER, "{}", settings, clock, *metrics)
                         : plugin::load_plugin(OBSERVER, "{}");
  if (!loaded || !(*loaded)->start()) {
    state.SkipWithError(loaded ? "start() failed" : loaded.error().message.c_str());
    return;
  }
  cache::object_meta meta;
  meta.key = {"default", "web"};
  controller::plan_input input;
  input.spec = &(*loaded)->declared().controllers.front();
  input.key = meta.key;
  const std::string filler(static_cast<std::size_t>(state.range(0)), 'x');
  input.primary = std::make_shared<const cache::object>(meta, "{\"x\":\"" + filler + "\"}");
  auto& reconciler = (*loaded)->reconciler_for("observer");
  for (auto _ : state) {
    const auto out = reconciler.plan(input);
    if (out.verdict != controller::plan_verdict::done) state.SkipWithError("the plan failed");
  }
  if (in_child) state.counters["child_private_KiB"] = children_private_kib();
}
BENCHMARK_CAPTURE(plan_call, core, false)->Arg(0)->Arg(4096)->Arg(65536);
BENCHMARK_CAPTURE(plan_call, child, true)->Arg(0)->Arg(4096)->Arg(65536)->UseRealTime();

}  // namespace
}  // namespace oarlock
