#include "measures.hpp"

#include <algorithm>
#include <charconv>

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;

measured measure(const my_sql_cluster& cluster, json::node observed) {
  const auto& status = *cluster.status;
  measured made;
  made.paused = cluster.spec->paused == true;
  made.members = *cluster.spec->replicas;
  made.epoch = static_cast<double>(status.epoch.value_or(0));
  made.failovers = status.failovers.value_or(0);
  made.switchovers = status.switchovers.value_or(0);
  made.last_failover_s = static_cast<double>(status.last_failover_seconds.value_or(0));
  made.password_changes = status.passwords->changes.value_or(0);
  made.passwords_changing = observed["passwords"]["drawn"].boolean();
  if (const auto since = status.passwords->published_at.unix_ms();
      since && made.passwords_changing) {
    made.old_passwords_until_s =
        static_cast<double>(*since) / 1000 + *cluster.spec->passwords->keep_old_seconds;
  }
  made.errant = static_cast<int>(status.quarantined.size());
  made.failover_possible = sdk::is_condition(status.conditions, "FailoverPossible");
  const std::string primary = status.primary.value_or("");
  const auto ends = [&made](json::node unix_ms) {
    const double at = static_cast<double>(unix_ms.integer()) / 1000;
    const bool is_first = made.certificate_ends_s == 0 || at < made.certificate_ends_s;
    if (at > 0 && is_first) made.certificate_ends_s = at;
  };
  ends(observed["certificates"]["endsUnixMs"]);
  for (const auto member : observed["members"]) {
    if (!member["reachable"].boolean()) continue;
    ++made.answering;
    made.lag_s =
        std::max(made.lag_s, static_cast<double>(member["replication"]["lagMs"].integer()) / 1000);
    ends(member["certificateEndsUnixMs"]);
    made.available |= member["name"].text() == primary && member["writable"].boolean();
  }
  made.healthy = made.available && status.phase.text() == "Ready";
  // "1/2", as the status says it.
  const std::string synced = status.synced.value_or("");
  (void)std::from_chars(synced.data(), synced.data() + synced.size(), made.synced);
  return made;
}

measures::measures(const sdk::metrics& made) {
  const sdk::metrics::labels of_cluster = {"cluster_namespace", "cluster"};
  available_ = made.gauges("available", "1: the primary answers and takes writes", of_cluster);
  healthy_ = made.gauges("healthy", "1: and every replica has everything", of_cluster);
  failover_possible_ =
      made.gauges("failover_possible", "1: the loss of the primary would be survived", of_cluster);
  paused_ = made.gauges("paused", "1: spec.paused is true", of_cluster);
  members_ = made.gauges("members", "Members that there shall be", of_cluster);
  answering_ = made.gauges("members_answering", "Members whose server answers", of_cluster);
  synced_ = made.gauges("replicas_synced", "Replicas that have everything", of_cluster);
  errant_ =
      made.gauges("members_errant", "Members with transactions that no primary had", of_cluster);
  epoch_ = made.gauges("primary_epoch", "Grows with each change of the primary", of_cluster);
  failovers_ = made.gauges("failovers", "Lost primaries that were replaced", of_cluster);
  switchovers_ = made.gauges("switchovers", "Primaries that gave way to another one", of_cluster);
  last_failover_ = made.gauges(
      "last_failover_seconds",
      "From a primary that does not answer to another one that takes writes", of_cluster);
  lag_ = made.gauges("replica_lag_seconds",
                     "Age of what the replica that is furthest behind executes now", of_cluster);
  certificate_ends_ = made.gauges(
      "certificate_end_timestamp_seconds",
      "When the first of the certificates that servers show ends; 0: not known", of_cluster);
  passwords_changing_ =
      made.gauges("passwords_changing", "1: new passwords are on their way", of_cluster);
  old_passwords_until_ = made.gauges(
      "old_passwords_until_timestamp_seconds",
      "Until when a change keeps the old passwords on purpose; 0: not yet, or no more", of_cluster);
  password_changes_ =
      made.gauges("password_changes", "Changes of passwords that are over", of_cluster);
  effects_ = made.counters("effects_total", "What was done on servers, by outcome: done or failed",
                           {"cluster_namespace", "cluster", "effect", "outcome"});
}

void measures::tell(std::string_view ns, std::string_view name, const measured& what) const {
  const auto set = [&](const gauges& of, double value) { of.add({ns, name}).set(value); };
  set(available_, what.available);
  set(healthy_, what.healthy);
  set(failover_possible_, what.failover_possible);
  set(paused_, what.paused);
  set(members_, what.members);
  set(answering_, what.answering);
  set(synced_, what.synced);
  set(errant_, what.errant);
  set(epoch_, what.epoch);
  set(failovers_, what.failovers);
  set(switchovers_, what.switchovers);
  set(last_failover_, what.last_failover_s);
  set(lag_, what.lag_s);
  set(certificate_ends_, what.certificate_ends_s);
  set(passwords_changing_, what.passwords_changing);
  set(old_passwords_until_, what.old_passwords_until_s);
  set(password_changes_, what.password_changes);
}

void measures::count(std::string_view ns, std::string_view name, std::string_view effect,
                     bool done) const {
  effects_.add({ns, name, effect, done ? "done" : "failed"}).increment();
}

}  // namespace mysql_cluster
