#include <algorithm>

#include "decider.hpp"

namespace mysql_cluster {
namespace {

constexpr std::int64_t clone_retry_ms = 15'000;

bool is_cloning(const member& m) {
  return m.clone == clone_state::running;
}

}  // namespace

void decider::tend_replicas(const member& p) {
  for (const auto& m : v_.members) {
    if (!is_replica(m)) continue;
    if (m.reachable && !m.writable) tend(p, m);
    label_replica(p, m);
  }
}

void decider::tend(const member& p, const member& m) {
  if (is_cloning(m)) {
    find("Cloning", "CloneRunning", m.name + ": " + std::to_string(m.clone_percent) + " %");
    return;
  }
  if (is_surplus(m) || !is_on_record(m)) return;  // it leaves, or has left
  if (quarantine(p, m)) return;
  const bool hears = m.source == p.address && m.receiver == thread_state::on;
  const bool is_empty = !m.has_data() && p.has_data() && !hears;
  if (is_empty || !m.all().contains(p.purged)) return start_clone(p, m);
  if (!m.applier_error.empty()) {
    return find("ReplicationBroken", "ApplierStopped", m.name + ": " + m.applier_error);
  }
  const bool is_set = m.source == p.address && m.receiver != thread_state::off &&
                      m.applier != thread_state::off && m.acknowledges && !m.source_on;
  if (!is_set) {
    say(action::follow, m, p.address);
    look_again(500);
  } else if (!m.receiver_error.empty() && m.receiver != thread_state::on) {
    if (m.is_denied) say(action::tell_password, m);
    find("ReplicationBroken", "ReceiverFails", m.name + ": " + m.receiver_error);
  }
}

// What it has and the primary has not would be lost or spread: it neither serves nor acknowledges,
// and is left to a person.
bool decider::quarantine(const member& p, const member& m) {
  const gtid_set more = m.has_data() && p.has_data() ? errant(p, m) : gtid_set();
  auto& known = d_.next.quarantined;
  std::erase(known, m.name);
  if (more.empty()) {
    if (is_caught_up(p, m)) std::erase(d_.next.former, m.name);
    return false;
  }
  known.insert(std::ranges::upper_bound(known, m.name), m.name);
  if (may_be_discarded(m, more)) {
    event(true, "Discarded", m.name + " loses what no client was told to be done: " + more.text());
    start_clone(p, m);
    return true;
  }
  find("Errant", "ErrantTransactions",
       m.name + " has transactions that the primary never had: " + more.text() +
           "; save what is wanted of them and delete its volume and pod");
  if (m.receiver != thread_state::off) {
    say(action::stop_receiver, m);
    event(true, "Quarantined", m.name + ": " + more.text());
  }
  return true;
}

// The transactions of a former primary, here or received from there: it waited for their
// acknowledgements in vain, or the present one would have them.
bool decider::may_be_discarded(const member& m, gtid_set more) const {
  if (!v_.wanted.discards_unacknowledged) return false;
  for (const auto& other : v_.members) {
    const bool wrote_by_itself =
        other.name == m.name && !std::ranges::binary_search(v_.known.former, m.name);
    if (!other.server_uuid.empty() && !wrote_by_itself) more.drop_source(other.server_uuid);
  }
  return more.empty();
}

// From a replica that has everything, to spare the primary; else from the primary.
void decider::start_clone(const member& p, const member& m) {
  // A primary that is still read-only is one of which no data is missing, and it may need this very
  // replica to be opened.
  if (!p.has_data()) return;
  if (m.clone == clone_state::failed) {
    find("Cloning", "CloneFailed", m.name + ": " + m.clone_error);
    if (m.clone_ended_ms_ago < clone_retry_ms) return;
  }
  const auto donor = std::ranges::find_if(v_.members, [&](const member& other) {
    return &other != &m && is_caught_up(p, other) && !other.terminating && !is_surplus(other);
  });
  const member& from = donor == v_.members.end() ? p : *donor;
  say(action::clone, m, from.address);
  event(false, "CloneStarted", m.name + " becomes a copy of " + from.name);
}

void decider::label_replica(const member& p, const member& m) {
  const bool serves = follows(p, m) && m.applier == thread_state::on && errant(p, m).empty();
  label(m, serves ? "replica" : "");
}

}  // namespace mysql_cluster
