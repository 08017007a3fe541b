#include "core/cli/held.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/json/parse.hpp"
#include "core/package/held_objects.hpp"
#include "core/package/plugin_object.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/manifest.hpp"

namespace oarlock::cli {

namespace {

// A plugin whose controllers write finalizers, and on which kinds.
struct holder {
  std::string plugin;
  std::vector<kube::resource> kinds;
};

// Those of the runtime whose controllers write finalizers.
result<std::vector<package::plugin_object>> plugins_of(install_cluster& cluster,
                                                       const std::string& runtime) {
  std::vector<package::plugin_object> out;
  const auto take = [&](const rapidjson::Value& item) -> result<> {
    auto one = package::parse_plugin(json::write(item));
    if (!one) return one.error();
    const auto& all = one->finalizers;
    const bool holds = std::find(all.begin(), all.end(), package::plugin_finalizer) != all.end();
    if (holds && one->runtime == runtime) out.push_back(std::move(*one));
    return {};
  };
  auto listed = cluster.call(
      package::for_each_listed(&cluster.client(), package::plugin_resource(), {}, take, {}));
  if (!listed) return listed.error();
  return out;
}

// Where the API serves the kinds of a Plugin, which its status calls by their names.
result<std::vector<kube::resource>> kinds_of(install_cluster& cluster,
                                             const package::plugin_object& of) {
  std::vector<kube::resource> out;
  for (const auto& name : of.status.kinds) {
    const auto found = cluster.call(cluster.client().get(kube::crds, "", name));
    if (!found && found.error().code == kube::kube_error::not_found) continue;
    if (!found) return found.error();
    const auto crd = json::parse(*found);
    if (!crd) return crd.error();
    const auto text = [&](const char* at) { return std::string(json::string_at(*crd, at)); };
    kube::resource kind{text("/spec/group"),
                        {},
                        text("/spec/names/kind"),
                        text("/spec/names/plural"),
                        text("/spec/scope") == "Namespaced"};
    const auto* versions = json::find(*crd, "/spec/versions");
    if (versions == nullptr || !versions->IsArray()) continue;
    for (const auto& version : versions->GetArray()) {
      if (json::bool_at(version, "/served") != true) continue;
      kind.version = json::string_at(version, "/name");
      out.push_back(kind);
      break;
    }
  }
  return out;
}

result<std::vector<holder>> holders_of(install_cluster& cluster, const held_options& options) {
  std::vector<holder> out;
  const auto plugins = plugins_of(cluster, options.runtime);
  if (!plugins) return plugins.error();
  for (const auto& one : *plugins) {
    auto kinds = kinds_of(cluster, one);
    if (!kinds) return kinds.error();
    out.push_back({one.name, std::move(*kinds)});
  }
  for (const auto& path : options.plugins) {
    const auto declared = plugin::read_manifest(plugin::manifest_beside(path));
    if (!declared) return declared.error();
    holder one{declared->name, {}};
    for (const auto& c : declared->controllers)
      if (c.finalizer) one.kinds.push_back(c.primary);
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

result<> check_held(install_cluster& cluster, const held_options& options, const progress& tell) {
  const auto holders = holders_of(cluster, options);
  if (!holders) return holders.error();
  std::size_t all = 0;
  for (const auto& one : *holders) {
    const auto finalizer = package::finalizer_of(one.plugin);
    const auto held = cluster.call(
        package::objects_held(&cluster.client(), one.kinds, finalizer, options.scope_ns, {}));
    if (!held) return held.error();
    if (held->count == 0) continue;
    all += held->count;
    tell(fmt::format("plugin {}: {} objects carry its finalizer {}, such as {}", one.plugin,
                     held->count, finalizer, held->first));
  }
  if (all == 0) return {};
  return error{plugin::plugin_error::bad_manifest,
               fmt::format("expected no objects that only the plugins of runtime {} let go, found "
                           "{}; delete them while the daemon runs, or take the finalizers off",
                           options.runtime, all)};
}

}  // namespace oarlock::cli
