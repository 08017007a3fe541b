#include "core/kube/request.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "core/base/mutant.hpp"
#include "core/kube/url.hpp"

namespace oarlock::kube {

namespace {

// Whole objects are the second choice: a server that cannot leave them out sends them.
constexpr const char* metadata_list =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
constexpr const char* metadata_object =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

api_request accepting(const char* what, api_request request) {
  request.accept = what;
  return request;
}

constexpr std::string_view true_or_none(bool set) {
  return set ? "true" : "";
}

const std::string& with_options(query& q, const write_options& how) {
  return q.add("fieldManager", how.field_manager).add("dryRun", how.dry_run ? "All" : "").text();
}

std::string delete_body(const delete_options& options) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> json(out);
  json.StartObject();
  json.Key("apiVersion");
  json.String("v1");
  json.Key("kind");
  json.String("DeleteOptions");
  if (!options.propagation.empty()) {
    json.Key("propagationPolicy");
    json.String(options.propagation);
  }
  if (options.grace_seconds) {
    json.Key("gracePeriodSeconds");
    json.Int64(*options.grace_seconds);
  }
  if (options.dry_run) {
    json.Key("dryRun");
    json.StartArray();
    json.String("All");
    json.EndArray();
  }
  const bool guarded = !options.uid.empty() || !options.resource_version.empty();
  if (guarded && !OARLOCK_MUTANT("delete_without_preconditions")) {
    json.Key("preconditions");
    json.StartObject();
    if (!options.uid.empty()) {
      json.Key("uid");
      json.String(options.uid);
    }
    if (!options.resource_version.empty()) {
      json.Key("resourceVersion");
      json.String(options.resource_version);
    }
    json.EndObject();
  }
  json.EndObject();
  return {out.GetString(), out.GetSize()};
}

}  // namespace

api_request get_request(const resource& r, std::string_view ns, std::string_view name) {
  return {"GET", r.path(ns, name)};
}

api_request list_request(const resource& r, const list_options& options) {
  query q;
  q.add("labelSelector", options.label_selector).add("fieldSelector", options.field_selector);
  // A continued list goes on at the version of its first page: the server refuses another.
  if (options.continue_token.empty()) {
    q.add("resourceVersion", options.resource_version);
    q.add("resourceVersionMatch", options.resource_version_match);
  }
  if (options.limit > 0) q.add("limit", std::to_string(options.limit));
  q.add("continue", options.continue_token);
  return accepting(options.metadata_only ? metadata_list : "application/json",
                   {"GET", r.path(options.ns) + q.text()});
}

api_request watch_request(const resource& r, const watch_options& options) {
  query q;
  q.add("watch", "true").add("allowWatchBookmarks", true_or_none(options.bookmarks));
  q.add("timeoutSeconds", std::to_string(options.timeout.count()));
  q.add("labelSelector", options.label_selector).add("fieldSelector", options.field_selector);
  q.add("resourceVersion", options.resource_version);
  if (options.send_initial_events) {
    q.add("sendInitialEvents", "true").add("resourceVersionMatch", "NotOlderThan");
  }
  return accepting(options.metadata_only ? metadata_object : "application/json",
                   {"GET", r.path(options.ns) + q.text()});
}

api_request log_request(std::string_view ns, std::string_view pod, const log_options& options) {
  const resource pods{"", "v1", "Pod", "pods", true};
  const auto number = [](const std::optional<std::int64_t>& value) {
    return value ? std::to_string(*value) : std::string();
  };
  query q;
  q.add("container", options.container).add("follow", true_or_none(options.follow));
  q.add("previous", true_or_none(options.previous));
  q.add("timestamps", true_or_none(options.timestamps));
  q.add("tailLines", number(options.tail_lines));
  q.add("sinceSeconds", number(options.since_seconds));
  q.add("limitBytes", number(options.bytes_max));
  return accepting("*/*", {"GET", pods.path(ns, pod, "log") + q.text()});
}

api_request create_request(std::string path, std::string body, const write_options& how) {
  query q;
  q.add("fieldValidation", "Strict");
  return {"POST", path + with_options(q, how), std::move(body)};
}

api_request update_request(const resource& r, std::string_view ns, std::string_view name,
                           std::string body, const write_options& how) {
  query q;
  return {"PUT", r.path(ns, name) + with_options(q, how), std::move(body)};
}

api_request apply_request(const resource& r, std::string_view ns, std::string_view name,
                          std::string body, const apply_options& options) {
  query q;
  q.add("fieldManager", options.field_manager).add("force", true_or_none(options.force));
  q.add("fieldValidation", "Strict").add("dryRun", options.dry_run ? "All" : "");
  // JSON is YAML: the server has no content type for a JSON apply patch.
  return {"PATCH", r.path(ns, name, options.subresource) + q.text(), std::move(body),
          "application/apply-patch+yaml"};
}

api_request patch_request(std::string path, std::string body, std::string content_type,
                          const write_options& how) {
  query q;
  return {"PATCH", path + with_options(q, how), std::move(body), std::move(content_type)};
}

api_request delete_request(const resource& r, std::string_view ns, std::string_view name,
                           const delete_options& options) {
  return {"DELETE", r.path(ns, name), delete_body(options)};
}

}  // namespace oarlock::kube
