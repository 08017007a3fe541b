#include "tests/sim/kinds.hpp"

#include <algorithm>
#include <map>

namespace oarlock::sim {

namespace {

const std::vector<kind_info> kinds{
    {{"apps", "v1", "Deployment", "deployments", true}, true, true, true, false},
    {{"example.com", "v1alpha1", "MyApp", "myapps", true}, true, true, false, true},
    {{"", "v1", "Pod", "pods", true}, true, true, true, false},
    {{"", "v1", "ConfigMap", "configmaps", true}, false, false, true, false},
    {{"coordination.k8s.io", "v1", "Lease", "leases", true}, false, false, false, false},
    {{"events.k8s.io", "v1", "Event", "events", true}, false, false, true, false},
};

const std::map<std::string, list_shape, std::less<>> shapes{
    {"metadata.ownerReferences", {list_type::map, {"uid"}, true}},
    {"metadata.finalizers", {list_type::set, {}}},
    {"status.conditions", {list_type::map, {"type"}}},
    {"spec.template.spec.containers", {list_type::map, {"name"}}},
    {"spec.template.spec.containers.env", {list_type::map, {"name"}}},
    {"spec.template.spec.containers.ports", {list_type::map, {"containerPort", "protocol"}}},
    {"spec.template.spec.containers.volumeMounts", {list_type::map, {"mountPath"}}},
    {"spec.template.spec.volumes", {list_type::map, {"name"}}},
    {"spec.containers", {list_type::map, {"name"}}},
};

void set_default(js::object& parent, std::string_view name, js::value value) {
  parent.emplace(name, std::move(value));  // does nothing when it is there
}

js::object& child_object(js::object& parent, std::string_view name) {
  return parent.emplace(name, js::object()).first->value().as_object();
}

// "Always" for an image without a tag or with :latest, as the server decides.
const char* pull_policy(std::string_view image) {
  const auto name = image.substr(image.rfind('/') + 1);
  const auto colon = name.find(':');
  const bool pinned = name.find('@') != std::string_view::npos;
  const bool latest = colon == std::string_view::npos || name.substr(colon + 1) == "latest";
  return latest && !pinned ? "Always" : "IfNotPresent";
}

void default_container(js::object& container) {
  set_default(container, "resources", js::object());
  set_default(container, "terminationMessagePath", "/dev/termination-log");
  set_default(container, "terminationMessagePolicy", "File");
  set_default(container, "imagePullPolicy", pull_policy(text_at(container, "image")));
  if (const auto ports = container.find("ports"); ports != container.end()) {
    for (auto& port : ports->value().as_array())
      set_default(port.as_object(), "protocol", "TCP");
  }
}

void default_pod_spec(js::object& spec) {
  set_default(spec, "restartPolicy", "Always");
  set_default(spec, "terminationGracePeriodSeconds", 30);
  set_default(spec, "dnsPolicy", "ClusterFirst");
  set_default(spec, "securityContext", js::object());
  set_default(spec, "schedulerName", "default-scheduler");
  const auto containers = spec.find("containers");
  if (containers == spec.end() || !containers->value().is_array()) return;
  for (auto& container : containers->value().as_array())
    default_container(container.as_object());
}

void default_deployment(js::object& spec) {
  set_default(spec, "replicas", 1);
  set_default(spec, "revisionHistoryLimit", 10);
  set_default(spec, "progressDeadlineSeconds", 600);
  auto& strategy = child_object(spec, "strategy");
  set_default(strategy, "type", "RollingUpdate");
  if (text_at(strategy, "type") == "RollingUpdate") {
    auto& rolling = child_object(strategy, "rollingUpdate");
    set_default(rolling, "maxUnavailable", "25%");
    set_default(rolling, "maxSurge", "25%");
  }
  auto& pod = child_object(spec, "template");
  child_object(pod, "metadata");
  default_pod_spec(child_object(pod, "spec"));
}

void check_containers(const js::object* pod, const std::string& at, std::vector<cause>& out) {
  const auto* containers = pod == nullptr ? nullptr : array_at(*pod, "containers");
  if (containers == nullptr || containers->empty()) {
    out.push_back({"FieldValueRequired", at + ".containers"});
    return;
  }
  for (std::size_t i = 0; i < containers->size(); ++i) {
    const auto& c = (*containers)[i].as_object();
    const auto where = at + ".containers[" + std::to_string(i) + "]";
    if (text_at(c, "name").empty()) out.push_back({"FieldValueRequired", where + ".name"});
    if (text_at(c, "image").empty()) out.push_back({"FieldValueRequired", where + ".image"});
  }
}

void check_deployment(const js::object& object, const js::object* before, std::vector<cause>& out) {
  const auto* spec = object_at(object, "spec");
  if (spec == nullptr) return;
  const auto* replicas = spec->if_contains("replicas");
  if (replicas != nullptr && replicas->is_int64() && replicas->as_int64() < 0) {
    out.push_back({"FieldValueInvalid", "spec.replicas"});
  }
  const auto* selector = object_at(*spec, "selector");
  const auto* pod = object_at(*spec, "template");
  const auto* labels = selector == nullptr ? nullptr : object_at(*selector, "matchLabels");
  if (labels == nullptr) {
    out.push_back({"FieldValueRequired", "spec.selector"});
  } else {
    const auto* meta = pod == nullptr ? nullptr : object_at(*pod, "metadata");
    const auto* has = meta == nullptr ? nullptr : object_at(*meta, "labels");
    const bool match = std::all_of(labels->begin(), labels->end(), [&](const auto& l) {
      const auto* v = has == nullptr ? nullptr : has->if_contains(l.key());
      return v != nullptr && *v == l.value();
    });
    if (!match) out.push_back({"FieldValueInvalid", "spec.template.metadata.labels"});
  }
  check_containers(pod == nullptr ? nullptr : object_at(*pod, "spec"), "spec.template.spec", out);
  const auto* old_spec = before == nullptr ? nullptr : object_at(*before, "spec");
  const auto* old = old_spec == nullptr ? nullptr : object_at(*old_spec, "selector");
  if (old != nullptr && selector != nullptr && *old != *selector) {
    out.push_back({"FieldValueInvalid", "spec.selector"});
  }
}

// As plugins/myapp/crds says.
void check_myapp(const js::object& object, std::vector<cause>& out) {
  const auto* spec = object_at(object, "spec");
  if (spec == nullptr) {
    out.push_back({"FieldValueRequired", "spec"});
    return;
  }
  const auto* replicas = spec->if_contains("replicas");
  if (replicas != nullptr && !replicas->is_int64()) {
    out.push_back({"FieldValueTypeInvalid", "spec.replicas"});
    out.push_back({"FieldValueInvalid", "spec.replicas"});  // by the scale subresource
  } else if (replicas != nullptr && (replicas->as_int64() < 0 || replicas->as_int64() > 10000)) {
    out.push_back({"FieldValueInvalid", "spec.replicas"});
  }
  if (!spec->contains("image")) {
    out.push_back({"FieldValueRequired", "spec.image"});
  } else if (text_at(*spec, "image").empty()) {
    out.push_back({"FieldValueInvalid", "spec.image"});
  }
}

}  // namespace

const std::vector<kind_info>& all_kinds() {
  return kinds;
}

const kind_info* find_kind(std::string_view group, std::string_view version,
                           std::string_view plural) {
  const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const kind_info& k) {
    return k.resource.group == group && k.resource.version == version &&
           k.resource.plural == plural;
  });
  return found == kinds.end() ? nullptr : &*found;
}

list_shape shape_of(std::string_view path) {
  const auto found = shapes.find(path);
  return found == shapes.end() ? list_shape{} : found->second;
}

bool is_atomic_object(std::string_view path) {
  return path == "spec.selector";
}

void apply_defaults(const kind_info& kind, js::object& object) {
  const auto& name = kind.resource.kind;
  if (name == "Deployment") {
    default_deployment(child_object(object, "spec"));
    child_object(object, "status");
  } else if (name == "MyApp") {
    if (auto* spec = object_at(object, "spec")) set_default(*spec, "replicas", 1);
  } else if (name == "Event") {
    set_default(object, "deprecatedFirstTimestamp", nullptr);
    set_default(object, "deprecatedLastTimestamp", nullptr);
    set_default(object, "deprecatedSource", js::object());
  } else if (name == "Pod") {
    default_pod_spec(child_object(object, "spec"));
  }
}

std::vector<cause> validate(const kind_info& kind, const js::object& object,
                            const js::object* before) {
  std::vector<cause> out;
  const auto& name = kind.resource.kind;
  if (name == "Deployment") check_deployment(object, before, out);
  if (name == "MyApp") check_myapp(object, out);
  if (name == "Pod") check_containers(object_at(object, "spec"), "spec", out);
  if (before == nullptr) return out;
  const auto uid = meta_text(object, "uid");
  if (!uid.empty() && uid != meta_text(*before, "uid")) {
    out.push_back({"FieldValueInvalid", "metadata.uid"});
  }
  return out;
}

js::object object_of(std::string_view key, js::value value) {
  js::object out;
  out.emplace(key, std::move(value));
  return out;
}

const js::object* object_at(const js::object& parent, std::string_view name) {
  const auto* found = parent.if_contains(name);
  return found == nullptr ? nullptr : found->if_object();
}
js::object* object_at(js::object& parent, std::string_view name) {
  auto* found = parent.if_contains(name);
  return found == nullptr ? nullptr : found->if_object();
}
const js::array* array_at(const js::object& parent, std::string_view name) {
  const auto* found = parent.if_contains(name);
  return found == nullptr ? nullptr : found->if_array();
}
std::string text_at(const js::object& parent, std::string_view name) {
  const auto* found = parent.if_contains(name);
  return found == nullptr || !found->is_string() ? std::string() : std::string(found->as_string());
}
std::string meta_text(const js::object& object, std::string_view name) {
  const auto* meta = object_at(object, "metadata");
  return meta == nullptr ? std::string() : text_at(*meta, name);
}

}  // namespace oarlock::sim
