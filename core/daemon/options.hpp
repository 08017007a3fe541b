#pragma once
// What the daemon was asked to do: flags over the configuration file over defaults, checked.
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/log.hpp"
#include "core/base/result.hpp"
#include "core/metrics/bind_address.hpp"
#include "core/plugin/config.hpp"
#include "core/plugin/quota.hpp"

namespace oarlock::daemon {

/// Whose rights plugins write with.
enum class identity_kind { daemon, service_account };

struct options {
  std::string kubeconfig;
  std::vector<std::string> plugins;
  bool plugins_in_children = false;          ///< unless it is said of a plugin by its name
  std::map<std::string, bool> plugin_homes;  ///< by name; true: in a child
  bool sandbox_required = true;              ///< of children: no plugin without every wall
  bool extra_exports_refused = true;         ///< of libraries; else they are warned of
  bool leader_elect = true;
  std::string leader_election_id;         ///< the runtime's name unless set
  std::string leader_election_namespace;  ///< the pod's, else oarlock-system, unless set
  duration leader_election_lease_duration = std::chrono::seconds(15);
  duration leader_election_renew_deadline = std::chrono::seconds(10);
  duration leader_election_retry_period = std::chrono::seconds(2);
  std::optional<metrics::bind_address> metrics = metrics::bind_address{"", 8443};
  bool events = true;
  bool metrics_secure = true;
  std::string metrics_cert_dir;
  std::optional<metrics::bind_address> probes = metrics::bind_address{"", 8081};
  std::optional<metrics::bind_address> inbound;  ///< where pods are listened to; nullopt: nowhere
  std::string inbound_url;       ///< how pods reach it; empty: a Service of the daemon's namespace
  std::string inbound_cert_dir;  ///< empty: an authority of the daemon's own
  oarlock::log_level log_level = log_level::info;
  oarlock::log_format log_format = log_format::text;
  std::optional<std::size_t> max_concurrent_reconciles;  ///< nullopt: what each manifest says
  double kube_api_qps = 0;                               ///< requests a second; 0: no limit
  std::size_t kube_api_burst = 10;                       ///< client-go's default
  std::string ns;                                        ///< empty: all namespaces
  std::string state_dir;
  std::string config_file;   ///< empty: none was given
  std::string debug_socket;  ///< empty: none
  std::string runtime_name = "oarlock";
  identity_kind plugin_identity = identity_kind::daemon;
  plugin::quota_table plugin_quotas;
  plugin::config_table plugin_configs;
  bool plugin_objects = false;   ///< install what Plugin objects of this runtime ask for
  std::string plugin_store;      ///< of their images; the state_dir's unless set
  std::string image_policy;      ///< file; empty: no image may be installed
  std::string plugin_namespace;  ///< the pod's, else oarlock-system, unless set
};

enum class setting_kind { text, boolean, list };

/// One thing that can be set, by a flag and by a key of the same name in the configuration file.
struct setting {
  const char* name;
  const char* value_name;
  const char* help;
  setting_kind kind = setting_kind::text;
  /// Checks and stores one value. The error says what was expected; callers add where it stood.
  std::function<result<>(options&, const std::string&)> set;
  /// The effective values as text, for --print-config.
  std::function<std::vector<std::string>(const options&)> show;
};

enum class option_error { bad_value = 1 };
[[nodiscard]] boost::system::error_code make_error_code(option_error e);

/// Every setting, in the order of the help text.
[[nodiscard]] const std::vector<setting>& all_settings();

/// Rules between settings, and the defaults that depend on others. `pod_namespace` is the namespace
/// this process runs in, empty outside a cluster.
[[nodiscard]] result<> complete(options& o, const std::string& pod_namespace);

/// The effective configuration as YAML: a file that --config accepts.
[[nodiscard]] std::string to_yaml(const options& o);

}  // namespace oarlock::daemon

template <>
struct boost::system::is_error_code_enum<oarlock::daemon::option_error> : std::true_type {};
