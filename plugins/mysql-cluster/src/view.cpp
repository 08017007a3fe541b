// The view of a decision, from objects and from what observe() has answered.
#include <algorithm>

#include "children.hpp"
#include "names.hpp"
#include "oarlock/k8s/apps/v1.hpp"
#include "oarlock/k8s/core/v1.hpp"
#include "plan.hpp"
#include "secrets.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;
using oarlock::k8s::apps::v1::stateful_set;
using oarlock::k8s::core::v1::container_status;
using oarlock::k8s::core::v1::pod;

namespace {

constexpr std::size_t text_bytes_max = 512;

thread_state thread_of(json::node said) {
  if (said.text() == "ON") return thread_state::on;
  return said.text() == "CONNECTING" ? thread_state::connecting : thread_state::off;
}

clone_state clone_of(json::node said) {
  const auto text = said["state"].text();
  if (text == "Completed") return clone_state::done;
  if (text == "Failed") return clone_state::failed;
  return text.empty() ? clone_state::none : clone_state::running;
}

gtid_set set_of(json::node said) {
  try {
    return gtid_set::parse(said.text());
  } catch (const gtid_error& e) {
    throw sdk::retry_error("BadObservation", e.what());
  }
}

void read_server(json::node said, member& m) {
  m.reachable = said["reachable"].boolean();
  m.error = sdk::shorten(std::string(said["error"].text()), text_bytes_max);
  if (!m.reachable) return;
  m.server_uuid = said["serverUUID"].text();
  m.version = said["version"].text();
  m.certificate = said["certificate"].text();
  m.writable = said["writable"].boolean();
  m.has_new_passwords = said["newPasswords"].boolean();
  m.only_new_passwords = said["onlyNewPasswords"].boolean();
  m.executed = set_of(said["executed"]);
  m.purged = set_of(said["purged"]);
  const auto before = said["executedBefore"];
  m.executed_before = before.exists() ? set_of(before) : m.executed;
  m.received = set_of(said["received"]);
  const auto replication = said["replication"];
  m.source = replication["source"].text();
  m.receiver = thread_of(replication["receiver"]);
  m.applier = thread_of(replication["applier"]);
  m.is_denied = replication["isDenied"].boolean();
  m.receiver_error = sdk::shorten(std::string(replication["receiverError"].text()), text_bytes_max);
  m.applier_error = sdk::shorten(std::string(replication["applierError"].text()), text_bytes_max);
  const auto semisync = said["semiSync"];
  m.source_armed = semisync["strict"].boolean();
  m.source_on = semisync["source"].boolean();
  m.waits_for = static_cast<int>(semisync["waitsFor"].integer());
  m.acknowledges = semisync["replica"].boolean();
  for (const auto one : said["variables"])
    m.variables[std::string(one["name"].text())] = one["value"].text();
  const auto clone = said["clone"];
  m.clone = clone_of(clone);
  m.clone_percent = static_cast<int>(clone["percent"].integer());
  m.clone_ended_ms_ago = clone["endedMsAgo"].integer();
  m.clone_error = sdk::shorten(std::string(clone["error"].text()), text_bytes_max);
}

// The end of what a program said last, which is where the reason is.
std::string last_words(std::string_view said) {
  constexpr std::size_t bytes_max = 256;
  while (!said.empty() && said.back() == '\n')
    said.remove_suffix(1);
  if (said.size() > bytes_max) {
    said.remove_prefix(said.size() - bytes_max);
    said.remove_prefix(std::min(said.find('\n') + 1, said.size()));
  }
  return said.empty() ? "" : ": " + std::string(said);
}

std::string trouble_of(const pod& p) {
  for (const auto* list : {&p.status->init_container_statuses, &p.status->container_statuses}) {
    for (const container_status& c : *list) {
      const auto& waiting = *c.state->waiting;
      const std::string reason = waiting.reason.value_or("");
      if (reason.empty() || reason == "PodInitializing" || reason == "ContainerCreating") continue;
      return sdk::shorten(c.name + ": " + reason + ": " + waiting.message.value_or("") +
                              last_words(c.last_state->terminated->message.value_or("")),
                          text_bytes_max);
    }
  }
  for (const auto& c : p.status->conditions) {
    if (c.type == "PodScheduled" && c.status == "False") {
      return sdk::shorten(c.reason.value_or("") + ": " + c.message.value_or(""), text_bytes_max);
    }
  }
  return {};
}

// The last words of the program that makes the data folder, while it is about to be tried again:
// one word on the first line, or the end of its log.
void read_init(const pod& p, member& m) {
  for (const container_status& c : p.status->init_container_statuses) {
    if (c.name != "init" || c.state->running) continue;
    const auto& end = c.state->terminated ? *c.state->terminated : *c.last_state->terminated;
    if (end.exit_code == 0) continue;
    const std::string said = end.message.value_or("");
    const auto line = said.find('\n');
    const bool is_word =
        line != std::string::npos && line > 0 && line < 64 && said[0] >= 'A' && said[0] <= 'Z' &&
        said.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == line;
    m.init_reason = is_word ? said.substr(0, line) : "InitFailed";
    m.init_message =
        sdk::shorten(m.name + ": " + (is_word ? said.substr(line + 1) : said), text_bytes_max);
  }
}

void read_pod(const pod& p, const stateful_set* made_by, member& m) {
  m.exists = true;
  m.terminating = static_cast<bool>(p.metadata->deletion_timestamp);
  m.role = std::string(p.metadata->label(role_label));
  m.address = p.status->pod_ip.value_or("");
  m.trouble = trouble_of(p);
  read_init(p, m);
  const auto& annotations = p.metadata->annotations;
  const auto restores = annotations.find(restore_annotation);
  if (restores != annotations.end()) m.restores = restores->second;
  for (const auto& c : p.status->conditions)
    m.ready = m.ready || (c.type == "Ready" && c.status == "True");
  for (const auto& c : p.status->container_statuses)
    m.down = m.down || (c.name == "mysqld" && !c.state->running);
  if (made_by == nullptr) return;
  // A StatefulSet whose controller has not seen the newest template yet says nothing about pods.
  const bool is_seen =
      made_by->status->observed_generation.value_or(0) >= made_by->metadata->generation.value_or(0);
  const std::string newest = made_by->status->update_revision.value_or("");
  m.outdated =
      is_seen && !newest.empty() && p.metadata->label("controller-revision-hash") != newest;
}

record record_of(const my_sql_cluster& cluster) {
  const auto& status = *cluster.status;
  record made;
  made.primary = status.primary.value_or("");
  made.primary_uuid = status.primary_uuid.value_or("");
  made.former = status.former_primaries;
  std::ranges::sort(made.former);
  made.epoch = status.epoch.value_or(0);
  made.replicas = status.replica_count.value_or(0);
  made.acks = status.acknowledgements.value_or(0);
  made.opened = status.opened.value_or(false);
  made.restored = status.restored.value_or(false);
  made.leaving_to = status.leaving_to.value_or(0);
  made.lost_since_unix_ms = status.lost_since.unix_ms();
  made.failovers = status.failovers.value_or(0);
  made.switchovers = status.switchovers.value_or(0);
  made.failover_since_unix_ms = status.failover_since.unix_ms();
  made.last_failover_s = status.last_failover_seconds.value_or(0);
  made.switchover_done = status.switchover_done.value_or("");
  made.disabled_events = status.disabled_events;
  std::ranges::sort(made.disabled_events);
  made.quarantined = status.quarantined;
  std::ranges::sort(made.quarantined);
  made.passwords_done = status.passwords->done.value_or("");
  made.password_changes = status.passwords->changes.value_or(0);
  made.passwords_published_unix_ms = status.passwords->published_at.unix_ms();
  made.passwords_told = status.passwords->told;
  std::ranges::sort(made.passwords_told);
  return made;
}

wishes wishes_of(const my_sql_cluster& cluster) {
  wishes made;
  made.size = *cluster.spec->replicas;
  made.acknowledgements = cluster.spec->durability->acknowledgements.value_or(0);
  made.version = cluster.spec->version.value_or("");
  made.automatic_failover = cluster.spec->failover->policy.text() != "Manual";
  made.discards_unacknowledged = cluster.spec->failover->unacknowledged.text() == "Discard";
  made.failover_delay_ms = std::int64_t{*cluster.spec->failover->delay_seconds} * 1000;
  const auto& bootstrap = *cluster.spec->bootstrap;
  if (bootstrap.claim_name) made.backup = bootstrap.backup_name.value_or("");
  const auto& annotations = cluster.metadata->annotations;
  const auto asked = annotations.find(switchover_annotation);
  if (asked != annotations.end()) made.switchover = asked->second;
  made.passwords = passwords_request(cluster);
  made.keep_old_passwords_ms = std::int64_t{*cluster.spec->passwords->keep_old_seconds} * 1000;
  return made;
}

password_change passwords_of(const input& in) {
  const auto seen = in.observation()["passwords"];
  password_change made;
  made.is_drawn = seen["drawn"].boolean();
  made.is_published = seen["published"].boolean();
  made.request = seen["request"].text();
  const auto failed = in.last_failure();
  for (const auto what :
       {action::renew_passwords, action::tell_password, action::discard_passwords}) {
    const std::string step = "effect " + std::string(effect_name(what)) + ".";
    if (failed && failed->step.starts_with(step)) {
      made.failure = sdk::shorten(std::string(failed->message), text_bytes_max);
    }
  }
  return made;
}

}  // namespace

std::string refusal_of(const input& in) {
  const auto& before = *in.primary().status->config_refusal;
  if (const auto failed = in.last_failure(); failed && failed->reason == setting_refused &&
                                             failed->step.starts_with("effect configure.")) {
    return std::string(failed->message);
  }
  return before.generation == in.primary().metadata->generation ? before.message.value_or("") : "";
}

view view_of(const input& in) {
  view v;
  v.name = in.name();
  v.wanted = wishes_of(in.primary());
  v.wanted.variables = dynamic_settings(in);
  v.wanted.is_configuration_refused = !refusal_of(in).empty();
  v.known = record_of(in.primary());
  v.now_unix_ms = in.now_unix_ms();
  const auto observed = in.observation();
  v.has_app = observed["hasApp"].boolean();
  v.knows_events = observed["events"].is_object();
  for (const auto name : observed["events"]["disabled"])
    v.disabled_events.emplace_back(name.text());
  for (const auto name : observed["events"]["replicated"])
    v.replicated_events.emplace_back(name.text());
  std::ranges::sort(v.disabled_events);
  v.passwords = passwords_of(in);
  const auto failure = in.last_failure();
  v.close_failed = failure && failure->step.starts_with("effect close.");
  const int on_record = v.known.primary.empty() ? v.wanted.size : v.known.replicas + 1;
  const auto* made_by = in.owned<stateful_set>(v.name);
  const auto pods = in.watched<pod>();
  // Ordinals have no gaps but those of pods that are being made.
  const int count = std::max(on_record, static_cast<int>(pods.size()));
  for (int i = 0; i < count; ++i) {
    member m;
    m.name = pod_name(v.name, i);
    m.ordinal = i;
    for (const pod* p : pods) {
      if (p->metadata->name == m.name) read_pod(*p, made_by, m);
    }
    for (const auto said : observed["members"]) {
      if (said["name"].text() == m.name) read_server(said, m);
    }
    if (m.exists || i < on_record) v.members.push_back(std::move(m));
  }
  return v;
}

}  // namespace mysql_cluster
