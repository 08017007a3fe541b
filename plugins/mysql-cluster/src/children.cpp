#include "children.hpp"

#include <charconv>

#include "names.hpp"
#include "oarlock/k8s/apps/v1.hpp"
#include "oarlock/k8s/policy/v1.hpp"
#include "pods.hpp"
#include "sealed.hpp"
#include "secrets.hpp"
#include "settings.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
namespace core = oarlock::k8s::core::v1;
using oarlock::k8s::apps::v1::stateful_set;
using oarlock::k8s::policy::v1::pod_disruption_budget;
using labels = std::map<std::string, std::string>;

namespace {

// preStop waits 20 s at most for the primary to move, and a server needs time to write its pages.
constexpr std::int64_t grace_seconds = 120;
constexpr int exporter_port = 9104;
const std::string dynamic_begin = "# These are set while servers run, too.\n";

labels labels_of(const std::string& name) {
  return {{"app.kubernetes.io/name", "mysql"}, {cluster_label, name}};
}

// Not for keeping anything safe: a name that changes with the content.
std::string hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  static constexpr std::string_view digits = "bcdfghjklmnpqrst";
  std::string made;
  for (int i = 0; i < 10; ++i, hash >>= 4U)
    made += digits[hash & 15U];
  return made;
}

std::int64_t mebibytes_of(const std::string& memory) {
  std::int64_t number = 0;
  std::from_chars(memory.data(), memory.data() + memory.size(), number);
  return memory.ends_with("Gi") ? number * 1024 : number;
}

// MySQL keeps 190 MiB for statistics of thousands of statements and for a log that it writes out
// once a second anyway. Below a gigabyte that is what a clone would need.
constexpr std::int64_t small_mebibytes = 1024;
constexpr const char* small_cnf =
    "innodb_log_buffer_size=16M\n"
    "performance_schema_digests_size=1000\n"
    "performance_schema_error_size=0\n"
    "performance_schema_events_stages_history_long_size=100\n"
    "performance_schema_events_statements_history_long_size=100\n"
    "performance_schema_events_transactions_history_long_size=100\n"
    "performance_schema_events_waits_history_long_size=100\n";

// What needs a server that starts anew. What every member has a value of its own for, the image's
// entrypoint adds.
std::string static_cnf(const my_sql_cluster& cluster) {
  const auto memory = mebibytes_of(*cluster.spec->resources->memory);
  std::string made =
      "[mysqld]\n"
      "innodb_buffer_pool_size=" +
      std::to_string(memory * 35 / 100) +
      "M\n"
      "max_connections=151\n";
  if (memory < small_mebibytes) made += small_cnf;
  for (const auto& [key, value] : cluster.spec->config) {
    if (dynamic_default(key).empty()) made += key + "=" + value + "\n";
  }
  return made;
}

// Another name is another template, and members that start anew.
std::string config_name(const my_sql_cluster& cluster) {
  return *cluster.metadata->name + "-config-" + hash_of(static_cnf(cluster));
}

settings settings_of(const my_sql_cluster& cluster) {
  return dynamic_of({cluster.spec->config.begin(), cluster.spec->config.end()});
}

const core::config_map* config_there(const input& in) {
  return in.owned<core::config_map>(config_name(in.primary()));
}

settings settings_there(const core::config_map& config) {
  const auto found = config.data.find("my.cnf");
  return found == config.data.end() ? settings() : settings_in(found->second, dynamic_begin);
}

// A new value stands in the file once all servers that answer have taken it, so that none can be
// kept from starting by it. A file that no server has read yet has all.
settings settled_settings(const input& in, const view& v) {
  const settings wanted = settings_of(in.primary());
  const auto* there = config_there(in);
  if (there == nullptr) return wanted;
  settings made = settings_there(*there);
  for (const auto& [key, value] : dynamic_settings(in)) {
    int answer = 0, have = 0;
    for (const auto& m : v.members) {
      const auto found = m.variables.find(key);
      if (!m.reachable || found == m.variables.end()) continue;
      ++answer;
      have += is_same_value(found->second, value);
    }
    if (answer == 0 || have < answer) continue;
    const auto asked = wanted.find(key);
    if (asked == wanted.end()) {
      made.erase(key);
    } else {
      made[key] = asked->second;
    }
  }
  return made;
}

std::string text_or(std::string_view text, const char* otherwise) {
  return text.empty() ? otherwise : std::string(text);
}

core::service service_of(const std::string& name, const std::string& suffix, const char* role) {
  core::service made;
  made.metadata->name = name + suffix;
  made.metadata->labels = labels_of(name);
  made.spec->selector = labels_of(name);
  if (role != nullptr) {
    made.spec->selector[role_label] = role;
  } else {
    made.spec->cluster_ip = "None";
    made.spec->publish_not_ready_addresses = true;
  }
  auto& port = made.spec->ports.emplace_back();
  port.name = "mysql";
  port.port = mysql_port;
  port.target_port = "mysql";
  return made;
}

pod_disruption_budget budget_of(const std::string& name) {
  pod_disruption_budget made;
  made.metadata->name = name;
  made.metadata->labels = labels_of(name);
  made.spec->max_unavailable = 1;
  made.spec->selector->match_labels = labels_of(name);
  return made;
}

void add_env(core::container& to, const char* name, const char* field) {
  auto& made = to.env.emplace_back();
  made.name = name;
  made.value_from->field_ref->field_path = field;
}

// Both containers of a member: the one that makes the data folder and the one that serves it.
core::container container_of(const my_sql_cluster& cluster, const char* name, const char* command) {
  core::container made;
  made.name = name;
  made.image = cluster.spec->image;
  made.command = {"/usr/local/bin/oarlock-mysql", command};
  add_env(made, "POD_NAME", "metadata.name");
  add_env(made, "POD_IP", "status.podIP");
  set_env(made, "APP_DATABASE", *cluster.spec->bootstrap->database);
  const std::string memory = *cluster.spec->resources->memory;
  made.resources->requests = {{"cpu", *cluster.spec->resources->cpu}, {"memory", memory}};
  made.resources->limits = {{"memory", memory}};
  made.termination_message_policy = "FallbackToLogsOnError";
  secure(made);
  made.volume_mounts = {mount("data", "/var/lib/mysql", false),
                        mount("run", "/run/mysqld", false),
                        mount("tmp", "/tmp", false),
                        mount("config", "/etc/oarlock-mysql/config", true),
                        mount("accounts", "/etc/oarlock-mysql/accounts", true),
                        mount("tls", "/etc/oarlock-mysql/tls", true)};
  return made;
}

// No liveness probe: nothing may kill a server that recovers or is copied, for however long. One
// that hangs is replaced by what the operator sees of it.
core::container server_of(const my_sql_cluster& cluster) {
  core::container made = container_of(cluster, "mysqld", "run");
  auto& mysql = made.ports.emplace_back();
  mysql.name = "mysql";
  mysql.container_port = mysql_port;
  auto& admin = made.ports.emplace_back();
  admin.name = "admin";
  admin.container_port = admin_port;
  made.readiness_probe->exec->command = {"/usr/local/bin/oarlock-mysql", "ready"};
  made.readiness_probe->period_seconds = 5;
  made.readiness_probe->timeout_seconds = 5;
  made.lifecycle->pre_stop->exec->command = {"/usr/local/bin/oarlock-mysql", "pre-stop"};
  return made;
}

// Reads the server as the account that may see its state and nothing else.
core::container exporter_of(const std::string& image) {
  core::container made;
  made.name = "exporter";
  made.image = image;
  made.args = {"--config.my-cnf=/run/mysqld/monitor.cnf", "--web.listen-address=:9104"};
  auto& metrics = made.ports.emplace_back();
  metrics.name = "metrics";
  metrics.container_port = exporter_port;
  made.resources->requests = {{"cpu", "10m"}, {"memory", "32Mi"}};
  made.resources->limits = {{"memory", "64Mi"}};
  secure(made);
  made.volume_mounts = {mount("run", "/run/mysqld", true)};
  // It reads its password once, and anew when this address is asked for.
  made.liveness_probe->http_get->path = "/-/reload";
  made.liveness_probe->http_get->port = "metrics";
  made.liveness_probe->period_seconds = 30;
  made.liveness_probe->timeout_seconds = 10;
  return made;
}

void add_volumes(const my_sql_cluster& cluster, core::pod_spec& pod) {
  const std::string name = *cluster.metadata->name;
  for (const char* folder : {"run", "tmp"}) {
    auto made = volume_of(folder);
    made.empty_dir.emplace();
    pod.volumes.push_back(std::move(made));
  }
  auto config = volume_of("config");
  config.config_map->name = config_name(cluster);
  pod.volumes.push_back(std::move(config));
  pod.volumes.push_back(secret_volume("accounts", accounts_secret(name)));
  pod.volumes.push_back(secret_volume("tls", tls_secret_of(cluster)));
}

// The first member of a cluster that begins with a backup loads it before its server starts.
void add_restore(const my_sql_cluster& cluster, core::pod_spec& pod) {
  const auto& bootstrap = *cluster.spec->bootstrap;
  auto& init = pod.init_containers.front();
  set_env(init, "BACKUP_NAME", *bootstrap.backup_name);
  init.volume_mounts.push_back(mount("backup", "/backup", true));
  pod.volumes.push_back(claim_volume("backup", *bootstrap.claim_name, true));
}

core::pod_spec pod_of(const my_sql_cluster& cluster) {
  core::pod_spec made;
  made.termination_grace_period_seconds = grace_seconds;
  secure(made);
  core::weighted_pod_affinity_term apart;
  apart.weight = 100;
  apart.pod_affinity_term->label_selector->match_labels = labels_of(*cluster.metadata->name);
  apart.pod_affinity_term->topology_key = "kubernetes.io/hostname";
  made.affinity->pod_anti_affinity->preferred_during_scheduling_ignored_during_execution.push_back(
      std::move(apart));
  core::container init = container_of(cluster, "init", "init");
  if (cluster.spec->version) set_env(init, "EXPECTED_VERSION", *cluster.spec->version);
  made.init_containers.push_back(std::move(init));
  made.containers.push_back(server_of(cluster));
  const auto& exporter = cluster.spec->monitoring->exporter_image;
  if (exporter) made.containers.push_back(exporter_of(*exporter));
  add_volumes(cluster, made);
  return made;
}

stateful_set members_of(const my_sql_cluster& cluster, int size, bool restores) {
  const std::string name = *cluster.metadata->name;
  const auto& storage = *cluster.spec->storage;
  stateful_set made;
  made.metadata->name = name;
  made.metadata->labels = labels_of(name);
  auto& spec = *made.spec;
  spec.replicas = size;
  spec.service_name = name + "-hl";
  spec.pod_management_policy = "Parallel";
  spec.update_strategy->type = "OnDelete";
  spec.selector->match_labels = labels_of(name);
  auto& keep = *spec.persistent_volume_claim_retention_policy;
  keep.when_deleted = text_or(storage.on_delete.text(), "Retain");
  keep.when_scaled = text_or(storage.on_scale_down.text(), "Retain");
  spec.template_->metadata->labels = labels_of(name);
  *spec.template_->spec = pod_of(cluster);
  if (restores) {
    spec.template_->metadata->annotations = {
        {restore_annotation, *cluster.spec->bootstrap->backup_name}};
    add_restore(cluster, *spec.template_->spec);
  }
  auto& claim = spec.volume_claim_templates.emplace_back();
  claim.metadata->name = "data";
  claim.metadata->labels = labels_of(name);
  claim.spec->access_modes = {"ReadWriteOnce"};
  claim.spec->storage_class_name = storage.class_name;
  claim.spec->resources->requests = {{"storage", storage.size}};
  return made;
}

}  // namespace

settings dynamic_settings(const input& in) {
  settings made = settings_of(in.primary());
  if (const auto* there = config_there(in); there != nullptr) {
    for (const auto& [key, value] : dynamic_of(settings_there(*there)))
      made.emplace(key, dynamic_default(key));
  }
  return made;
}

void apply_children(const input& in, const view& v, int size, bool restores, output& out) {
  const my_sql_cluster& cluster = in.primary();
  const std::string name = *cluster.metadata->name;
  core::config_map config;
  config.metadata->name = config_name(cluster);
  config.metadata->labels = labels_of(name);
  const settings dynamic = settled_settings(in, v);
  config.data = {
      {"my.cnf", static_cnf(cluster) + (dynamic.empty() ? "" : dynamic_begin + lines_of(dynamic))}};
  out.apply(config);
  out.apply(service_of(name, "-rw", "primary"));
  out.apply(service_of(name, "-ro", "replica"));
  out.apply(service_of(name, "-hl", nullptr));
  if (size > 1) out.apply(budget_of(name));
  auto members = members_of(cluster, size, restores);
  // The size in its template stays what it was: Kubernetes refuses another one (volumes.cpp).
  const auto* there = in.owned<stateful_set>(name);
  if (there != nullptr && !there->spec->volume_claim_templates.empty()) {
    const auto& made_with = there->spec->volume_claim_templates.front();
    members.spec->volume_claim_templates.front().spec->resources->requests =
        made_with.spec->resources->requests;
  }
  out.apply(members, 1);
}

core::secret secret_of(const input& in, const std::string& name, sdk::json::node sealed) {
  core::secret made;
  made.metadata->name = name;
  made.metadata->labels = labels_of(std::string(in.name()));
  if (!sealed.is_object()) return made;
  for (const auto& field : sealed.raw()->GetObject())
    made.string_data[field.name.GetString()] = unseal(field.value.GetString());
  return made;
}

void create_secrets(const input& in, output& out) {
  const std::string name(in.name());
  const auto generated = in.observation()["generated"];
  for (const auto& secret :
       {accounts_secret(name), ca_secret(name), tls_secret(name), app_secret(name)}) {
    const auto content = generated[secret];
    if (content.is_object()) out.create_once(secret_of(in, secret, content));
  }
}

}  // namespace mysql_cluster
