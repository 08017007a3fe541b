#include "core/package/plugin_object.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"
#include "core/plugin/quota.hpp"

namespace oarlock::package {

namespace {

namespace quota_name = plugin::quota_name;

constexpr std::array<std::pair<const char*, const char*>, 8> quota_fields = {
    {{"writesPerSecond", quota_name::writes_per_second},
     {"writesInFlight", quota_name::writes_in_flight},
     {"concurrentReconciles", quota_name::concurrent_reconciles},
     {"cacheBytes", quota_name::cache_bytes},
     {"logLinesPerSecond", quota_name::log_lines_per_second},
     {"enqueuesPerSecond", quota_name::enqueues_per_second},
     {"metricSeries", quota_name::metric_series},
     {"childMemoryBytes", quota_name::child_memory_bytes}}};

std::string text_at(const rapidjson::Value& root, std::string_view pointer) {
  return std::string(json::string_at(root, pointer));
}

std::vector<std::string> texts_at(const rapidjson::Value& root, std::string_view pointer,
                                  std::string_view member) {
  std::vector<std::string> out;
  const auto* list = json::find(root, pointer);
  if (list == nullptr || !list->IsArray()) return out;
  for (const auto& one : list->GetArray())
    out.push_back(text_at(one, member));
  return out;
}

std::vector<std::string> quotas_of(const rapidjson::Value& root, const std::string& name) {
  std::vector<std::string> out;
  for (const auto& [field, quota] : quota_fields) {
    const auto pointer = fmt::format("/spec/quotas/{}", field);
    const auto number = json::int_at(root, pointer);
    const auto value = number ? std::to_string(*number) : text_at(root, pointer);
    if (!value.empty()) out.push_back(fmt::format("{}:{}={}", name, quota, value));
  }
  return out;
}

plugin_status status_of(const rapidjson::Value& root) {
  plugin_status s;
  s.observed_generation = json::int_at(root, "/status/observedGeneration").value_or(0);
  s.resolved_from = text_at(root, "/status/resolved/from");
  s.resolved_image = text_at(root, "/status/resolved/image");
  s.running_runtime = text_at(root, "/status/running/runtime");
  s.running_image = text_at(root, "/status/running/image");
  s.running_version = text_at(root, "/status/running/version");
  s.running_policy = text_at(root, "/status/running/policy");
  s.running_signer = text_at(root, "/status/running/signer");
  s.kinds = texts_at(root, "/status/kinds", "");
  s.missing = text_at(root, "/status/missing");
  const auto* conditions = json::find(root, "/status/conditions");
  if (conditions == nullptr || !conditions->IsArray()) return s;
  for (const auto& one : conditions->GetArray()) {
    s.conditions.push_back({text_at(one, "/type"), text_at(one, "/status"), text_at(one, "/reason"),
                            text_at(one, "/message"), text_at(one, "/lastTransitionTime")});
  }
  return s;
}

// Builds a JSON object; empty texts are left out.
class writer {
 public:
  explicit writer(rapidjson::Document& doc) : memory_(doc.GetAllocator()) {}
  [[nodiscard]] rapidjson::Value text(const std::string& of) {
    return {of.data(), static_cast<rapidjson::SizeType>(of.size()), memory_};
  }
  void put(rapidjson::Value& into, const char* name, const std::string& of) {
    if (!of.empty()) into.AddMember(rapidjson::StringRef(name), text(of), memory_);
  }
  void put(rapidjson::Value& into, const char* name, rapidjson::Value of) {
    into.AddMember(rapidjson::StringRef(name), of, memory_);
  }
  void push(rapidjson::Value& into, rapidjson::Value of) { into.PushBack(of, memory_); }

 private:
  rapidjson::Document::AllocatorType& memory_;
};

std::string cut(const std::string& message) {
  // Room for the mark; a character may be cut in two, which the API server would refuse.
  if (message.size() <= limits::condition_message_bytes_max) return message;
  auto end = limits::condition_message_bytes_max - 8;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U)
    --end;
  return message.substr(0, end) + "...";
}

rapidjson::Value conditions_of(const plugin_status& status, writer& w) {
  rapidjson::Value list(rapidjson::kArrayType);
  for (const auto& one : status.conditions) {
    rapidjson::Value c(rapidjson::kObjectType);
    w.put(c, "type", one.type);
    w.put(c, "status", one.status);
    w.put(c, "reason", one.reason);
    w.put(c, "message", w.text(cut(one.message)));
    w.put(c, "lastTransitionTime", one.since);
    w.put(c, "observedGeneration", rapidjson::Value(status.observed_generation));
    w.push(list, std::move(c));
  }
  return list;
}

}  // namespace

const kube::resource& plugin_resource() {
  static const kube::resource plugins{"oarlock.dev", "v1alpha1", "Plugin", "plugins", false};
  return plugins;
}

result<plugin_object> parse_plugin(std::string_view object_json) {
  const auto doc = json::parse(object_json);
  if (!doc) return doc.error();
  plugin_object out;
  out.name = text_at(*doc, "/metadata/name");
  out.uid = text_at(*doc, "/metadata/uid");
  out.resource_version = text_at(*doc, "/metadata/resourceVersion");
  out.created = text_at(*doc, "/metadata/creationTimestamp");
  out.generation = json::int_at(*doc, "/metadata/generation").value_or(0);
  out.deleting = json::find(*doc, "/metadata/deletionTimestamp") != nullptr;
  out.finalizers = texts_at(*doc, "/metadata/finalizers", "");
  out.image = text_at(*doc, "/spec/image");
  out.runtime = text_at(*doc, "/spec/runtime");
  out.in_core = json::string_at(*doc, "/spec/home") == "core";
  out.paused = json::bool_at(*doc, "/spec/paused").value_or(false);
  if (const auto* config = json::find(*doc, "/spec/config"); config != nullptr) {
    out.config = json::write(*config);
  }
  out.pull_secrets = texts_at(*doc, "/spec/imagePullSecrets", "/name");
  out.quotas = quotas_of(*doc, out.name);
  out.status = status_of(*doc);
  return out;
}

void note_version(plugin_object& o, std::string_view object_json) {
  const auto doc = json::parse(object_json);
  const auto version = doc ? text_at(*doc, "/metadata/resourceVersion") : std::string();
  if (!version.empty()) o.resource_version = version;
}

void keep_transitions(const plugin_status& before, plugin_status& next, wall_time now) {
  const auto text =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", std::chrono::time_point_cast<std::chrono::seconds>(now));
  for (auto& one : next.conditions) {
    const auto same = std::find_if(
        before.conditions.begin(), before.conditions.end(),
        [&](const auto& old) { return old.type == one.type && old.status == one.status; });
    one.since = same == before.conditions.end() || same->since.empty() ? text : same->since;
  }
}

std::string status_body(const std::string& name, const plugin_status& status,
                        const std::string& version) {
  rapidjson::Document doc(rapidjson::kObjectType);
  writer w(doc);
  rapidjson::Value meta(rapidjson::kObjectType);
  w.put(meta, "name", name);
  w.put(meta, "resourceVersion", version);
  rapidjson::Value resolved(rapidjson::kObjectType);
  w.put(resolved, "from", status.resolved_from);
  w.put(resolved, "image", status.resolved_image);
  rapidjson::Value running(rapidjson::kObjectType);
  w.put(running, "runtime", status.running_runtime);
  w.put(running, "image", status.running_image);
  w.put(running, "version", status.running_version);
  w.put(running, "policy", status.running_policy);
  w.put(running, "signer", status.running_signer);
  rapidjson::Value kinds(rapidjson::kArrayType);
  for (const auto& kind : status.kinds)
    w.push(kinds, w.text(kind));
  rapidjson::Value body(rapidjson::kObjectType);
  w.put(body, "observedGeneration", rapidjson::Value(status.observed_generation));
  if (!resolved.ObjectEmpty()) w.put(body, "resolved", std::move(resolved));
  if (!running.ObjectEmpty()) w.put(body, "running", std::move(running));
  if (!kinds.Empty()) w.put(body, "kinds", std::move(kinds));
  w.put(body, "missing", status.missing);
  w.put(body, "conditions", conditions_of(status, w));
  w.put(doc, "apiVersion", plugin_resource().api_version());
  w.put(doc, "kind", plugin_resource().kind);
  w.put(doc, "metadata", std::move(meta));
  w.put(doc, "status", std::move(body));
  return json::write(doc);
}

}  // namespace oarlock::package
