// The hot paths of one reconcile without a cluster: decode, compare, queue.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>

#include "core/cache/object_decoder.hpp"
#include "core/controller/child.hpp"
#include "core/controller/work_queue.hpp"

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

}  // namespace
}  // namespace oarlock
