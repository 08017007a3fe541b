#include "backup_job.hpp"

#include <algorithm>

#include "names.hpp"
#include "pods.hpp"
#include "secrets.hpp"

namespace mysql_cluster {

namespace core = oarlock::k8s::core::v1;
namespace sdk = oarlock::sdk;
using oarlock::k8s::batch::v1::job;

namespace {

constexpr const char* server_annotation = "mysql.oarlock.dev/server";
constexpr std::size_t message_bytes_max = 2048;
constexpr std::int64_t last_words_ms = 15'000;

core::container container_of(const my_sql_backup& backup, const my_sql_cluster& cluster,
                             const backup_source& source) {
  core::container made;
  made.name = "backup";
  made.image = cluster.spec->image;
  made.command = {"/usr/local/bin/oarlock-mysql-backup", "take"};
  made.termination_message_policy = "FallbackToLogsOnError";
  set_env(made, "BACKUP_NAME", backup.metadata->name.value_or(""));
  set_env(made, "BACKUP_ATTEMPT", backup.metadata->uid.value_or(""));
  set_env(made, "SOURCE_NAMESPACE", backup.metadata->namespace_.value_or(""));
  set_env(made, "SOURCE_CLUSTER", backup.spec->cluster_name);
  set_env(made, "SOURCE_NAME", source.pod);
  set_env(made, "SOURCE_HOST", source.address);
  made.resources->requests = {{"cpu", "100m"}, {"memory", "64Mi"}};
  made.resources->limits = {{"memory", "512Mi"}};
  secure(made);
  made.volume_mounts = {mount("backup", "/backup", false), mount("tmp", "/tmp", false),
                        mount("accounts", "/etc/oarlock-mysql/accounts", true),
                        mount("tls", "/etc/oarlock-mysql/tls", true)};
  return made;
}

const core::container_state_terminated* end_of(const core::pod& p) {
  for (const auto& c : p.status->container_statuses) {
    if (c.name == "backup") return c.state->terminated.get();
  }
  return nullptr;
}

bool is_of(const core::pod& p, const job& there) {
  return std::ranges::any_of(p.metadata->owner_references, [&](const auto& owner) {
    return owner.uid == there.metadata->uid.value_or("");
  });
}

// "key: value" on a line of its own.
std::string value_of(std::string_view text, std::string_view key) {
  const std::string start = "\n" + std::string(key) + ": ";
  const auto at = text.find(start);
  if (at == std::string_view::npos) return {};
  const auto from = at + start.size();
  return std::string(text.substr(from, text.find('\n', from) - from));
}

// `end`: null when the pod is gone, and with it what it said.
void read_success(const core::container_state_terminated* end, backup_outcome& made) {
  const std::string said = end == nullptr ? "" : end->message.value_or("");
  made.is = backup_outcome::state::succeeded;
  made.bytes = value_of(said, "bytes");
  made.raw_bytes = value_of(said, "rawBytes");
  made.gtids = value_of(said, "gtids");
  made.sha256 = value_of(said, "sha256");
  made.server_version = value_of(said, "serverVersion");
  made.tool = value_of(said, "tool");
}

// One word on the first line and then a sentence, or the end of a log.
void read_failure(const core::container_state_terminated& end, backup_outcome& made) {
  const std::string said = end.message.value_or("");
  const auto line = said.find('\n');
  if (end.reason == "OOMKilled") {
    made.reason = "OutOfMemory";
    made.message = "the memory limit of the backup's pod was reached (OOMKilled)";
  } else if (line != std::string::npos && line > 0 &&
             said.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
                 line) {
    made.reason = said.substr(0, line);
    made.message = sdk::shorten(said.substr(line + 1), message_bytes_max);
  } else {
    made.reason = "JobFailed";
    made.message =
        "exit code " + std::to_string(end.exit_code) + ": " + sdk::shorten(said, message_bytes_max);
  }
}

std::string waits_for(const core::pod* p) {
  if (p == nullptr) return "no pod was made yet";
  for (const auto& c : p->status->container_statuses) {
    const auto& waiting = *c.state->waiting;
    if (!waiting.reason || waiting.reason == "ContainerCreating") continue;
    return *waiting.reason + ": " + waiting.message.value_or("");
  }
  const auto* scheduled = sdk::find_condition(p->status->conditions, "PodScheduled");
  if (scheduled == nullptr || scheduled->status != "False") return {};
  return scheduled->reason.value_or("") + ": " + scheduled->message.value_or("");
}

}  // namespace

std::string backup_job_name(std::string_view backup) {
  return std::string(backup) + "-backup";
}

job backup_job(const my_sql_backup& backup, const my_sql_cluster& cluster,
               const backup_source& source) {
  const std::string name = backup.metadata->name.value_or("");
  const std::string of = backup.spec->cluster_name;
  job made;
  made.metadata->name = backup_job_name(name);
  made.metadata->labels = {{backup_label, name}, {backup_of_label, of}};
  made.metadata->annotations = {{server_annotation, source.pod}};
  auto& spec = *made.spec;
  spec.backoff_limit = 0;  // a backup that failed is told, not begun again
  spec.active_deadline_seconds = *backup.spec->active_deadline_seconds;
  spec.pod_replacement_policy = "Failed";  // never two pods at once
  auto& pods = *spec.template_;
  pods.metadata->labels = {{"app.kubernetes.io/name", "mysql-backup"}, {backup_label, name}};
  auto& pod = *pods.spec;
  pod.restart_policy = "Never";
  secure(pod);
  pod.containers.push_back(container_of(backup, cluster, source));
  pod.volumes.push_back(claim_volume("backup", backup.spec->storage->claim_name, false));
  auto scratch = volume_of("tmp");
  scratch.empty_dir.emplace();
  pod.volumes.push_back(std::move(scratch));
  // Of the accounts the one that may read, of the certificates the one that tells the servers.
  pod.volumes.push_back(secret_volume("accounts", accounts_secret(of), "backup"));
  pod.volumes.push_back(secret_volume("tls", tls_secret_of(cluster), "ca.crt"));
  return made;
}

std::string source_of(const job& job) {
  const auto found = job.metadata->annotations.find(server_annotation);
  return found == job.metadata->annotations.end() ? std::string() : found->second;
}

backup_outcome outcome_of(const job& there, const std::vector<const core::pod*>& pods,
                          std::int64_t now_unix_ms) {
  const core::pod* own = nullptr;
  for (const auto* p : pods) {
    if (is_of(*p, there)) own = p;
  }
  const auto* end = own == nullptr ? nullptr : end_of(*own);
  backup_outcome made;
  const bool is_complete = sdk::is_condition(there.status->conditions, "Complete");
  const auto* failed = sdk::find_condition(there.status->conditions, "Failed");
  if (failed != nullptr && failed->status != "True") failed = nullptr;
  if (!is_complete && failed == nullptr) {
    made.message = sdk::shorten(waits_for(own), message_bytes_max);
    return made;
  }
  made.ended_unix_ms = is_complete ? there.status->completion_time.unix_ms()
                                   : failed->last_transition_time.unix_ms();
  const bool is_late = now_unix_ms - made.ended_unix_ms.value_or(0) > last_words_ms;
  if (is_complete) {
    if (end != nullptr || is_late) read_success(end, made);
    return made;
  }
  const bool is_too_late = failed->reason == "DeadlineExceeded";
  if (end == nullptr && !is_late && !is_too_late) return made;
  made.is = backup_outcome::state::failed;
  if (is_too_late) {
    made.reason = "DeadlineExceeded";
    made.message = "it was not done within spec.activeDeadlineSeconds";
  } else if (end != nullptr && end->exit_code != 0) {
    read_failure(*end, made);
  } else {
    made.reason = "PodLost";
    made.message = "its pod is gone without a word: deleted, or its node was lost";
  }
  return made;
}

}  // namespace mysql_cluster
