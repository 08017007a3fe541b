#include "core/cli/install.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <vector>

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/file.hpp"
#include "core/plugin/yaml.hpp"

namespace oarlock::cli {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using plugin::plugin_error;

constexpr auto poll = 200ms;
constexpr const char* field_manager = "oarlock-install";
constexpr const char* plugin_label = "oarlock.dev/plugin";

const kube::resource plugins{"oarlock.dev", "v1alpha1", "Plugin", "plugins", false};
// What `plugin manifest` prints beside CRDs and the Plugin; deleted from the last to the first.
const std::array<kube::resource, 5> granted = {
    {{"", "v1", "ServiceAccount", "serviceaccounts", true},
     {"rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false},
     {"rbac.authorization.k8s.io", "v1", "Role", "roles", true},
     {"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false},
     {"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true}}};

error refused(const std::string& message) {
  return {plugin_error::bad_manifest, message};
}

std::string label_of(const rapidjson::Value& object, const char* label) {
  std::string pointer = "/metadata/labels/";
  for (const char c : std::string_view(label))
    pointer += c == '/' ? "~1" : std::string(1, c);
  return std::string(json::string_at(object, pointer));
}

void set_label(rapidjson::Document& doc, const std::string& value) {
  auto& memory = doc.GetAllocator();
  auto& meta = doc["metadata"];
  if (!meta.HasMember("labels")) {
    meta.AddMember("labels", rapidjson::Value(rapidjson::kObjectType), memory);
  }
  meta["labels"].RemoveMember(plugin_label);
  meta["labels"].AddMember(rapidjson::StringRef(plugin_label), rapidjson::Value(value, memory),
                           memory);
}

std::string what(const kube::resource& r, std::string_view name) {
  return fmt::format("{}/{}", r.name(), name);
}

result<> apply(install_cluster& cluster, const kube::resource& r, const rapidjson::Value& object,
               const progress& tell) {
  const std::string name(json::string_at(object, "/metadata/name"));
  const std::string ns(json::string_at(object, "/metadata/namespace"));
  kube::apply_options how;
  how.field_manager = field_manager;
  how.force = true;
  const auto done =
      cluster.call(cluster.client().apply(r, ns, name, json::write(object), std::move(how)));
  if (!done) return done.error().within("apply " + what(r, name));
  tell(what(r, name) + (done->status == 201 ? " created" : " configured"));
  return {};
}

result<> apply_crd(install_cluster& cluster, const install_options& o, const fs::path& file,
                   const progress& tell) {
  const auto text = plugin::read_file(file, limits::yaml_file_bytes_max);
  if (!text) return text.error();
  auto wanted = json::parse(*text);
  if (!wanted) return wanted.error().within(file.string());
  const std::string name(json::string_at(*wanted, "/metadata/name"));
  if (name.empty() || json::string_at(*wanted, "/kind") != kube::crds.kind) {
    return refused(file.string() + ": expected a CustomResourceDefinition with a name");
  }
  const auto live = cluster.call(cluster.client().get(kube::crds, "", name));
  if (!live && live.error().code != kube::kube_error::not_found) return live.error();
  if (live) {
    const auto found = json::parse(*live);
    if (!found) return found.error();
    if (auto why = crd_refusal(o.object.name, *wanted, *found, o.adopt_crds); !why.empty()) {
      return refused(what(kube::crds, name) + ": " + why);
    }
  }
  set_label(*wanted, o.object.name);
  return apply(cluster, kube::crds, *wanted, tell);
}

// Our own YAML, which the renderer made.
result<> apply_yaml(install_cluster& cluster, const std::string& yaml, const progress& tell) {
  for (const auto& document : YAML::LoadAll(yaml)) {
    if (document.IsNull()) continue;
    const auto text = plugin::yaml_to_json(document, "manifest");
    if (!text) return text.error();
    const auto object = json::parse(*text);
    if (!object) return object.error();
    const auto kind = json::string_at(*object, "/kind");
    const auto known =
        std::find_if(granted.begin(), granted.end(), [&](const auto& r) { return r.kind == kind; });
    const auto& r = known == granted.end() ? plugins : *known;
    if (auto done = apply(cluster, r, *object, tell); !done) return done;
  }
  return {};
}

// Reasons of a Plugin that no waiting heals.
bool is_final(std::string_view reason) {
  static const std::set<std::string_view> waits = {"AwaitingGrant", "RegistryUnavailable",
                                                   "RateLimited",   "DeadlineExceeded",
                                                   "NotWorking",    "WaitsForLeader"};
  return !waits.contains(reason);
}

struct condition {
  std::string status, reason, message;
};
std::map<std::string, condition> conditions_of(const rapidjson::Value& object) {
  std::map<std::string, condition> out;
  const auto* list = json::find(object, "/status/conditions");
  if (list == nullptr || !list->IsArray()) return out;
  for (const auto& one : list->GetArray()) {
    out[std::string(json::string_at(one, "/type"))] = {
        std::string(json::string_at(one, "/status")), std::string(json::string_at(one, "/reason")),
        std::string(json::string_at(one, "/message"))};
  }
  return out;
}

result<> await_ready(install_cluster& cluster, const install_options& o, const progress& tell) {
  const auto until = cluster.now() + o.timeout;
  std::map<std::string, std::string> told;
  std::string last = "no status: does an oarlockd with --plugin-objects and this runtime run?";
  while (cluster.now() < until) {
    const auto answer = cluster.call(cluster.client().get(plugins, "", o.object.name));
    if (!answer) return answer.error();
    const auto object = json::parse(*answer);
    if (!object) return object.error();
    auto now = conditions_of(*object);
    const bool is_current = json::int_at(*object, "/status/observedGeneration") ==
                            json::int_at(*object, "/metadata/generation");
    if (is_current) {
      for (const char* type : {"Resolved", "Verified", "Granted", "Loaded", "Healthy"}) {
        const auto line = now[type].reason + ": " + now[type].message;
        if (now[type].status == "Unknown" || told[type] == line) continue;
        tell(fmt::format("{:<9}{}", type, told[type] = line));
      }
      const auto& stalled = now["Stalled"];
      const bool is_settled = now["Reconciling"].status == "False" && stalled.status == "False";
      if (now["Ready"].status == "True" && is_settled) return {};
      if (stalled.status == "True" && is_final(stalled.reason)) return refused(stalled.message);
      last = now["Ready"].message;
    }
    cluster.pause(poll);
  }
  return refused(fmt::format("expected plugin {} to be ready within {} s, found: {}", o.object.name,
                             o.timeout.count(), last));
}

// All objects of a kind that carry the plugin's label.
result<> remove_labelled(install_cluster& cluster, const kube::resource& r, const std::string& name,
                         const progress& tell) {
  kube::list_options of_plugin;
  of_plugin.label_selector = std::string(plugin_label) + "=" + name;
  of_plugin.metadata_only = true;
  const auto page = cluster.call(cluster.client().list_page(r, of_plugin));
  if (!page) return page.error();
  const auto doc = json::parse(*page);
  if (!doc) return doc.error();
  const auto* items = json::find(*doc, "/items");
  if (items == nullptr || !items->IsArray()) return {};
  for (const auto& item : items->GetArray()) {
    kube::delete_options how;
    how.uid = json::string_at(item, "/metadata/uid");
    const std::string found(json::string_at(item, "/metadata/name"));
    const auto done = cluster.call(cluster.client().remove(
        r, std::string(json::string_at(item, "/metadata/namespace")), found, how));
    if (!done && done.error().code != kube::kube_error::not_found) {
      return done.error().within("delete " + what(r, found));
    }
    tell(what(r, found) + " deleted");
  }
  return {};
}

result<> remove_plugin(install_cluster& cluster, const uninstall_options& o, const progress& tell) {
  const auto gone = cluster.call(cluster.client().remove(plugins, "", o.name, {}));
  if (!gone && gone.error().code != kube::kube_error::not_found) return gone.error();
  const auto until = cluster.now() + o.timeout;
  std::string last;
  for (;;) {
    const auto answer = cluster.call(cluster.client().get(plugins, "", o.name));
    if (!answer && answer.error().code == kube::kube_error::not_found) break;
    if (!answer) return answer.error();
    const auto object = json::parse(*answer);
    if (!object) return object.error();
    const auto why = conditions_of(*object)["Ready"].message;
    if (why != last) tell(what(plugins, o.name) + " waits: " + why);
    last = why;
    if (cluster.now() >= until) {
      return refused(fmt::format("expected plugin {} to be gone within {} s, found: {}", o.name,
                                 o.timeout.count(), last));
    }
    cluster.pause(poll);
  }
  tell(what(plugins, o.name) + " deleted");
  return {};
}

std::string missing_version(const rapidjson::Value& wanted, const rapidjson::Value& live) {
  const auto* stored = json::find(live, "/status/storedVersions");
  if (stored == nullptr || !stored->IsArray()) return {};
  const auto* versions = json::find(wanted, "/spec/versions");
  for (const auto& one : stored->GetArray()) {
    const std::string name(json::string_at(one, ""));
    const bool is_there = versions != nullptr && versions->IsArray() &&
                          std::any_of(versions->Begin(), versions->End(), [&](const auto& v) {
                            return json::string_at(v, "/name") == name;
                          });
    if (!is_there) return name;
  }
  return {};
}

}  // namespace

std::string crd_refusal(const std::string& name, const rapidjson::Value& wanted,
                        const rapidjson::Value& live, bool adopt) {
  if (const auto version = missing_version(wanted, live); !version.empty()) {
    return fmt::format(
        "expected the CRD of the image to have version {}, in which objects are stored, found "
        "none; "
        "install an image that has it, or migrate the objects first",
        version);
  }
  const auto owner = label_of(live, plugin_label);
  if (adopt || owner == name) return {};
  if (!owner.empty()) {
    return fmt::format(
        "expected it to belong to plugin {}, found plugin {}; take it over with "
        "--adopt-crds",
        name, owner);
  }
  const auto manager = label_of(live, "app.kubernetes.io/managed-by");
  const auto release = json::string_at(live, "/metadata/annotations/meta.helm.sh~1release-name");
  const auto* owners = json::find(live, "/metadata/ownerReferences");
  const bool is_owned = owners != nullptr && owners->IsArray() && !owners->Empty();
  if (manager.empty() && release.empty() && !is_owned) return {};
  return fmt::format(
      "expected a CRD that nobody else manages, found one of {}; take it over with --adopt-crds",
      !manager.empty()   ? manager
      : !release.empty() ? "Helm release " + std::string(release)
                         : "another object, its owner");
}

result<> install_plugin(install_cluster& cluster, const fs::path& folder, install_options options,
                        const progress& tell) {
  if (auto ok = plugin::check(options.granted); !ok) return ok;
  const auto declared = plugin::read_manifest(plugin::manifest_beside(folder));
  if (!declared) return declared.error();
  options.object.name = declared->name;
  std::set<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / "crds", none)) {
    if (entry.path().extension() == ".json") files.insert(entry.path());
  }
  for (const auto& file : files) {
    if (auto done = apply_crd(cluster, options, file, tell); !done) return done;
  }
  const auto yaml =
      plugin::rbac_yaml(*declared, options.granted) + plugin_object_yaml(options.object);
  if (auto done = apply_yaml(cluster, yaml, tell); !done) return done;
  return await_ready(cluster, options, tell);
}

result<> uninstall_plugin(install_cluster& cluster, const uninstall_options& options,
                          const progress& tell) {
  if (auto done = remove_plugin(cluster, options, tell); !done) return done;
  for (auto r = granted.rbegin(); r != granted.rend(); ++r) {
    if (auto done = remove_labelled(cluster, *r, options.name, tell); !done) return done;
  }
  return options.delete_crds ? remove_labelled(cluster, kube::crds, options.name, tell)
                             : result<>();
}

}  // namespace oarlock::cli
