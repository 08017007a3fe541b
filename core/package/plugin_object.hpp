#pragma once
// The Plugin resource (deploy/crds/oarlock.dev_plugins.yaml): what is asked for, and what is told.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/kube/resource.hpp"

namespace oarlock::package {

/// plugins.oarlock.dev/v1alpha1, without a namespace.
[[nodiscard]] const kube::resource& plugin_resource();

/// The finalizer of a Plugin whose own controllers write finalizers.
inline constexpr const char* plugin_finalizer = "oarlock.dev/plugin";

struct plugin_condition {
  std::string type;
  std::string status;  ///< True, False or Unknown
  std::string reason;
  std::string message;
  std::string since = {};  ///< lastTransitionTime, RFC 3339; empty: now
};

/// Its status, as it is in the cluster and as it is to be.
struct plugin_status {
  std::int64_t observed_generation = 0;
  std::string resolved_from;    ///< the spec.image that was looked up
  std::string resolved_image;   ///< what it meant, by digest
  std::string running_runtime;  ///< that runs it or has begun to; empty: none does
  std::string running_image;    ///< by digest; of what runs or ran last
  std::string running_version;
  std::string running_policy;  ///< mode of the rule
  std::string running_signer;
  std::vector<std::string> kinds;  ///< "myapps.example.com"
  std::string missing;             ///< YAML to apply
  std::vector<plugin_condition> conditions;
};

struct plugin_object {
  std::string name;
  std::string uid;
  std::string resource_version;
  std::string created;  ///< RFC 3339
  std::int64_t generation = 0;
  bool deleting = false;
  std::vector<std::string> finalizers;

  std::string image;
  std::string runtime;
  bool in_core = false;
  bool paused = false;
  std::string config = "{}";  ///< JSON
  std::vector<std::string> pull_secrets;
  std::vector<std::string> quotas;  ///< entries of a quota_table: "myapp:writes-per-second=5"

  plugin_status status;
};

/// `object_json` as the API server has it. What the CRD's schema demands is not checked again.
[[nodiscard]] result<plugin_object> parse_plugin(std::string_view object_json);

/// What was written and answered with `object_json` is what was read.
void note_version(plugin_object& o, std::string_view object_json);

/// Carries over since when conditions of `next` have been as they are.
void keep_transitions(const plugin_status& before, plugin_status& next, wall_time now);

/// A server-side apply of the status of plugin `name`; with a `version` only onto that one.
[[nodiscard]] std::string status_body(const std::string& name, const plugin_status& status,
                                      const std::string& version = {});

}  // namespace oarlock::package
