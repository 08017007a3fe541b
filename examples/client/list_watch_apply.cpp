// Lists and watches the ConfigMaps of a namespace, and applies one: client and cache without a
// daemon. Usage: list_watch_apply NAMESPACE [KUBECONFIG]
#include <boost/asio/io_context.hpp>

#include <iostream>

#include "core/cache/standalone.hpp"

using namespace oarlock;
using namespace std::chrono_literals;

const kube::resource config_maps{"", "v1", "ConfigMap", "configmaps", true};

void print(const cache::change& c) {
  const auto& meta = (c.after ? c.after : c.before)->meta();
  const char* what = !c.before ? "added" : c.after ? "changed" : "deleted";
  std::cout << what << " " << meta.key.text() << " at " << meta.resource_version << "\n";
}

task<result<>> run(cache::standalone* cluster, std::string ns) {
  auto maps = cluster->cache().acquire({config_maps, ns, {}}, {}, print);
  const auto listed = co_await cluster->synced(maps->view(), 10s);
  if (!listed) co_return listed.error();
  std::cout << "listed " << maps->view().object_count() << "\n";
  const auto applied = co_await cluster->client().apply(
      config_maps, ns, "hello",
      R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"hello"},"data":{"a":"b"}})",
      {.field_manager = "list-watch-apply"});
  if (!applied) co_return applied.error();
  const auto shown = co_await cluster->shown(maps->view(), {ns, "hello"}, 10s);
  co_return shown ? result<>() : shown.error();
}

int main(int argc, char** argv) {
  boost::asio::io_context loop(1);
  const auto sources = kube::config_sources::from_environment(argc > 2 ? argv[2] : "");
  auto cluster = cache::standalone::open(loop.get_executor(), sources);
  if (!cluster) return std::cerr << cluster.error().message << "\n", 1;
  int code = 0;
  const auto session = [&]() -> task<> {
    const auto outcome = co_await run(cluster->get(), argc > 1 ? argv[1] : "default");
    if (!outcome) std::cerr << outcome.error().message << "\n", code = 1;
    co_await (*cluster)->cache().stop();
  };
  boost::asio::co_spawn(loop, session, [&](std::exception_ptr) { loop.stop(); });
  loop.run();
  return code;
}
