#include <algorithm>

#include "decider.hpp"

namespace mysql_cluster {

decision decide(const view& v) {
  return decider(v).run();
}

decision decider::run() {
  if (v_.known.primary.empty()) {
    renew_unborn();
    if (v_.wanted.backup.empty()) {
      choose_first();
    } else {
      restore_first();
    }
    return std::move(d_);
  }
  const member* p = v_.find(v_.known.primary);
  for (const auto& m : v_.members) {
    if (is_replica(m) && m.role == "primary") label(m, "");
  }
  if (p == nullptr || !p->reachable) {
    stop_strangers();
    without_primary(p, false, "it does not answer" + (p == nullptr ? "" : ": " + p->error));
  } else if (has_lost_data(*p)) {
    without_primary(p, true, "its data is not what others have from it");
  } else if (cannot_commit(*p) && lost_for_ms() >= stall_ms()) {
    fail_over(p, "too few replicas reach it to acknowledge a write");
  } else {
    // lost_for_ms() has begun to count where it cannot commit; replicas are tended meanwhile.
    if (!cannot_commit(*p)) d_.next.lost_since_unix_ms.reset();
    stop_strangers();
    with_primary(*p);
  }
  return std::move(d_);
}

// Before there is a primary nothing is lost with a pod that does not start, and a mended template
// must reach it.
void decider::renew_unborn() {
  for (const auto& m : v_.members) {
    const bool fails = !m.trouble.empty() || !m.init_reason.empty();
    if (m.exists && m.outdated && !m.reachable && !m.terminating && fails) say(action::restart, m);
  }
}

// The first primary: ordinal 0 of a new cluster; of volumes that others have left, the member that
// has all that any has, and only when all of them answer.
void decider::choose_first() {
  state(phase::creating, "WaitingForMembers", "no member answers yet");
  record next = v_.known;
  next.replicas = v_.wanted.size - 1;
  next.acks = v_.wanted.acks();
  next.epoch = v_.known.epoch + 1;
  const auto has_data = [](const member& m) { return m.reachable && m.has_data(); };
  if (count(has_data) == 0) {
    const member* first = v_.members.empty() ? nullptr : &v_.members.front();
    if (first == nullptr || !first->reachable) return;
    // A volume of a former cluster may be on a member that does not answer yet.
    if (count([](const member& m) { return m.reachable; }) < v_.wanted.size) {
      return state(phase::creating, "WaitingForMembers", "not all members answer yet");
    }
    next.primary = first->name;
    next.primary_uuid = first->server_uuid;
  } else {
    if (count([](const member& m) { return m.reachable; }) < v_.wanted.size) {
      return state(phase::creating, "WaitingForMembers",
                   "volumes with data were found; the one with the newest is known when all of " +
                       std::to_string(v_.wanted.size) + " members answer");
    }
    gtid_set all;
    for (const auto& m : v_.members)
      all.add(m.all());
    const auto best = std::ranges::find_if(
        v_.members, [&](const member& m) { return has_data(m) && m.all() == all; });
    if (best == v_.members.end()) {
      return block("Incomparable",
                   "each member has transactions that others lack; expected one with all of " +
                       all.text() + ": remove the volumes that are not to be used");
    }
    next.primary = best->name;
    next.primary_uuid = best->server_uuid;
    next.opened = true;
  }
  keep(next);
  event(false, "PrimaryChosen", next.primary + " is the first primary");
}

// Its volume is new, or older than what replicas have received from it.
bool decider::has_lost_data(const member& p) const {
  if (!v_.known.opened || p.writable) return false;
  if (p.server_uuid != v_.known.primary_uuid) return true;
  return std::ranges::any_of(v_.members, [&](const member& m) {
    if (!is_replica(m) || !m.reachable || !m.has_data()) return false;
    return !m.all().newer(p.server_uuid, p.all()).empty();
  });
}

// It answers us, and not those whose acknowledgements it needs.
bool decider::cannot_commit(const member& p) const {
  return p.writable && v_.known.acks > 0 && attached(p) < v_.known.acks &&
         static_cast<int>(trusted(&p).size()) >= needed();
}

// A member that takes writes and is not the primary on record was it before: frozen, or cut off,
// while another was chosen. Statements may hang behind commits that nobody will acknowledge, and
// switching semi-sync off would acknowledge them; so it is killed, and comes back read-only.
void decider::stop_strangers() {
  for (const auto& m : v_.members) {
    if (!is_replica(m) || !m.reachable || !m.writable) continue;
    say(action::kill, m);
    event(true, "OldPrimaryStopped", m.name + " still took writes; its pod is deleted");
  }
}

void decider::with_primary(const member& p) {
  if (p.writable && !v_.known.opened) {
    // Cannot be by what we do; by hand it can. From now on there may be writes.
    record next = d_.next;
    next.opened = true;
    keep(next);
  }
  if (auto& since = d_.next.failover_since_unix_ms; p.writable && since) {
    d_.next.last_failover_s = std::max<std::int64_t>(0, v_.now_unix_ms - *since) / 1000;
    since.reset();
  }
  arm(p);
  tend_replicas(p);
  tell(p);
  change(p);
  if (!p.writable && !is_switching_ && !open_primary(p)) return;
  if (is_switching_) return;
  label(p, "primary");
  if (p.writable) {
    configure();
    revive_events(p);
    change_passwords(p);
  }
  if (p.writable && !v_.has_app) say(action::ensure_app, p);
}

// As many acknowledgements as are on record at least; more as soon as the size is on record and
// there are enough replicas, and on record when these have everything.
void decider::arm(const member& p) {
  const bool has_size = v_.known.replicas >= v_.wanted.size - 1;
  const int wanted = has_size ? v_.wanted.acks() : v_.known.acks;
  const int have = attached(p);
  const int acks = wanted > v_.known.acks && have >= wanted ? wanted : v_.known.acks;
  const bool is_armed =
      acks == 0 ? !p.source_on : p.source_armed && p.source_on && p.waits_for == acks;
  if (!is_armed) return say(action::arm, p, {}, acks);
  if (acks > v_.known.acks && caught_up(p) >= acks) {
    record next = d_.next;
    next.acks = acks;
    keep(next);
  }
}

// Read-only after a start or a promotion. True when it is about to be open.
bool decider::open_primary(const member& p) {
  if (!p.source.empty()) {
    if (!p.executed.contains(p.received)) {
      say(action::catch_up, p, p.received.text());
    } else {
      say(action::promote, p);
    }
    look_again(100);
    return false;
  }
  const int have = caught_up(p);
  if (have < v_.known.acks) {
    state(phase::creating, "WaitingForReplicas",
          p.name + " is opened when " + std::to_string(v_.known.acks) +
              " replicas have all it has; found " + std::to_string(have));
    if (v_.known.opened) d_.now = phase::degraded;
    look_again(500);
    return false;
  }
  if (!v_.known.opened) {
    record next = d_.next;
    next.opened = true;
    keep(next);
  }
  say(action::open, p, {}, v_.known.acks);
  event(false, "PrimaryOpened",
        p.name + " takes writes (epoch " + std::to_string(v_.known.epoch) + ")");
  look_again(100);
  return true;
}

void decider::tell(const member& p) {
  d_.synced = caught_up(p);
  const int wanted = v_.wanted.size - 1;
  const std::string synced =
      std::to_string(d_.synced) + " of " + std::to_string(wanted) + " replicas have everything";
  if (!p.writable) {
    state(v_.known.opened ? phase::degraded : phase::creating, "PrimaryReadOnly",
          p.name + " does not take writes yet");
  } else if (d_.synced >= wanted) {
    state(phase::ready, "Ready", p.name + " is the primary; " + synced);
  } else {
    state(phase::degraded, "ReplicasMissing", p.name + " is the primary; " + synced);
  }
  for (const auto& m : v_.members) {
    if (!m.init_reason.empty()) {
      find("PodTrouble", m.init_reason, m.init_message);
    } else if (!m.trouble.empty()) {
      find("PodTrouble", "PodNotRunning", m.name + ": " + m.trouble);
    }
  }
  if (auto why = mismatch(p); !why.empty()) {
    find("VersionMismatch", "WrongVersion", std::move(why));
  }
}

// Shared.

bool decider::follows(const member& p, const member& m) const {
  const bool is_whole = m.clone != clone_state::running && m.clone != clone_state::failed;
  return is_replica(m) && m.reachable && is_whole && m.source == p.address &&
         m.receiver == thread_state::on && m.acknowledges;
}

// What it has executed and the primary never had. A replica may execute what the primary is still
// waiting to commit: those are the newest of the primary's own.
gtid_set decider::errant(const member& p, const member& m) const {
  gtid_set more = m.executed - p.executed;
  more.subtract(more.newer(p.server_uuid, p.executed));
  return more;
}

bool decider::is_caught_up(const member& p, const member& m) const {
  return follows(p, m) && m.all().contains(p.executed_before) && errant(p, m).empty();
}

int decider::count(const std::function<bool(const member&)>& which) const {
  return static_cast<int>(std::ranges::count_if(v_.members, which));
}

int decider::attached(const member& p) const {
  return count([&](const member& m) { return follows(p, m); });
}

int decider::caught_up(const member& p) const {
  return count([&](const member& m) { return is_caught_up(p, m); });
}

void decider::say(action what, const member& m, std::string text, int number) {
  d_.steps.push_back({what, m.name, std::move(text), number, {}});
}

void decider::label(const member& m, const std::string& role) {
  if (m.exists && m.role != role) say(action::label, m, role);
}

// Once in a decision: a second one would find the status changed by the first.
void decider::keep(record next) {
  d_.next = std::move(next);
  look_again(100);
  for (auto& one : d_.steps) {
    if (one.what != action::record) continue;
    one.to_record = d_.next;
    return;
  }
  d_.steps.push_back({action::record, d_.next.primary, {}, 0, d_.next});
}

void decider::look_again(std::int64_t ms) {
  d_.look_again_ms = std::min(d_.look_again_ms, ms);
}

void decider::state(phase now, std::string reason, std::string message) {
  d_.now = now;
  d_.reason = std::move(reason);
  d_.message = std::move(message);
}

void decider::find(std::string type, std::string reason, std::string message) {
  d_.findings.push_back({std::move(type), std::move(reason), std::move(message)});
}

void decider::event(bool is_warning, std::string reason, std::string message) {
  d_.events.push_back({is_warning, std::move(reason), std::move(message)});
}

}  // namespace mysql_cluster
