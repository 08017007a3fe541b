#include "plugins/mysql-cluster/tests/model.hpp"

#include <algorithm>

namespace mysql_cluster::testing {
namespace {

constexpr int restart_after_ticks = 3;
constexpr int clone_ticks = 3;
constexpr int load_ticks = 3;
constexpr int read_ticks = 10;  // until what mounts a Secret has read it anew

}  // namespace

model::model(int size, std::string backup) {
  wanted.size = size;
  wanted.failover_delay_ms = 0;
  wanted.keep_old_passwords_ms = 2 * read_ticks * 1000;
  wanted.backup = std::move(backup);
  backup_set = gtid_set::parse("00000000-0000-0000-0000-999999999999:1-7");
  has_set_ = wanted.backup.empty();
  if (has_set_) kubernetes();
}

void model::restart(int ordinal) {
  server& s = at(ordinal);
  if (s.uuid.empty()) {
    char uuid[40];
    std::snprintf(uuid, sizeof(uuid), "00000000-0000-0000-0000-%012d", ++uuids_);
    s.uuid = uuid;
  }
  s.is_up = true;
  s.is_frozen = false;
  s.start_password = secret.present;
}

// What comes back is read-only and replicates from nobody: so says its my.cnf. Crash recovery
// commits what was in the binary log.
void model::stop(server& s) {
  s.is_up = s.is_frozen = s.writable = false;
  s.receiver_on = s.applier_on = false;
  s.source_on = s.source_armed = s.acknowledges = false;
  s.executed.add(s.waiting);
  s.waiting = {};
  if (s.clone == clone_state::running) s.clone = clone_state::failed;
}

void model::lose_volume(int ordinal) {
  server& s = at(ordinal);
  stop(s);
  server fresh;
  fresh.exists = s.exists;
  fresh.role = s.role;
  fresh.generation = s.generation;
  fresh.restores = s.restores;
  fresh.initialising = s.exists && !s.restores.empty();
  fresh.load_ticks_left = load_ticks;
  s = fresh;
}

void model::leave_volume(int ordinal, const gtid_set& with) {
  server& s = servers_[ordinal];
  s.uuid = "00000000-0000-0000-0000-88888888888" + std::to_string(ordinal);
  s.executed = with;
}

void model::errant_write(int ordinal) {
  server& s = at(ordinal);
  s.executed.add(gtid_set::parse(s.uuid + ":" + std::to_string(++written_[s.uuid])));
}

int model::primary() const {
  return known.primary.empty() ? -1 : ordinal_of(known.primary);
}

bool model::can_reach(int a, int b) const {
  const auto there = servers_.find(b);
  return there != servers_.end() && there->second.is_up && !there->second.is_frozen &&
         !cuts_.contains({std::min(a, b), std::max(a, b)});
}

void model::replicate() {
  for (auto& [ordinal, s] : servers_) {
    if (!s.is_up || s.is_frozen || s.source.empty()) continue;
    const int from = ordinal_of(s.source);
    if (s.receiver_on && can_reach(ordinal, from)) {
      const server& source = at(from);
      if (!accepted(from).accept(s.receiver_password)) continue;
      s.received.add(source.executed - source.purged);
      s.received.add(source.waiting);
    }
    if (s.applier_on && s.applier_error.empty() && !s.is_applier_slow) s.executed.add(s.received);
  }
}

int model::acks_of(int ordinal, const gtid_set& what) const {
  int acks = 0;
  for (const auto& [other, s] : servers_) {
    if (other == ordinal || !s.is_up || s.is_frozen || !s.receiver_on || !s.acknowledges) continue;
    const bool hears = s.source == name(ordinal) &&
                       !cuts_.contains({std::min(other, ordinal), std::max(other, ordinal)});
    if (hears && s.received.contains(what)) ++acks;
  }
  return acks;
}

void model::commit_waiting(int ordinal) {
  server& s = at(ordinal);
  if (s.waiting.empty() || !s.is_up || s.is_frozen) return;
  if (s.source_on && acks_of(ordinal, s.waiting) < s.waits_for) return;
  s.executed.add(s.waiting);
  acknowledged.add(s.waiting);
  s.waiting = {};
}

// Clients write wherever they are let: a connection that they have had for long does not ask a
// Service.
void model::write() {
  for (auto& [ordinal, s] : servers_) {
    if (!clients_write || !s.is_up || s.is_frozen || !s.writable) continue;
    s.waiting.add(gtid_set::parse(s.uuid + ":" + std::to_string(++written_[s.uuid])));
  }
  replicate();
  for (auto& [ordinal, s] : servers_)
    commit_waiting(ordinal);
}

void model::start_pod(int ordinal) {
  server& s = servers_[ordinal];
  s.exists = true;
  s.generation = template_generation;
  s.role.clear();
  s.restores = template_backup_;
  s.init_reason.clear();
  s.initialising = !s.restores.empty();
  s.load_ticks_left = load_ticks;
  if (!s.initialising) restart(ordinal);
}

// As `oarlock-mysql init` does: first the backup is looked at, then a folder is made, and one that
// is there already is left alone.
void model::initialise(int ordinal) {
  server& s = at(ordinal);
  if (!s.uuid.empty()) {
    if (s.made_of != s.restores) {
      s.init_reason = "VolumeInUse";
      return;
    }
  } else {
    const auto fault = backup_faults.find(s.restores);
    s.init_reason = fault == backup_faults.end() ? "" : fault->second;
    if (!s.init_reason.empty() || --s.load_ticks_left > 0) return;
    s.made_of = s.restores;
    s.executed = s.purged = backup_set;
  }
  s.initialising = false;
  restart(ordinal);
}

void model::kubernetes() {
  if (!has_set_) return;
  const int first = template_backup_.empty() ? wanted.size : 1;
  const int size = known.primary.empty() ? first : known.replicas + 1;
  for (int i = 0; i < size; ++i) {
    if (!servers_[i].exists) start_pod(i);
  }
  for (auto& [ordinal, s] : servers_) {
    if (ordinal >= size && s.exists) {
      stop(s);
      s.exists = false;
    }
    s.outdated = s.generation != template_generation;
    if (s.exists && s.initialising) {
      initialise(ordinal);
    } else if (!s.exists || s.is_up) {
      down_for_[ordinal] = 0;
    } else if (restarts_by_itself && ++down_for_[ordinal] > restart_after_ticks) {
      restart(ordinal);
    }
  }
}

void model::tick() {
  now_ms_ += 1000;
  for (auto& [ordinal, s] : servers_) {
    if (s.clone != clone_state::running || --s.clone_ticks_left > 0) continue;
    const int donor = ordinal_of(s.clone_donor);
    if (clone_fails || !can_reach(ordinal, donor)) {
      s.clone = clone_state::failed;
      continue;
    }
    const auto uuid = s.uuid;
    const gtid_set copied = at(donor).executed;
    stop(s);
    s.executed = copied;
    s.received = {};
    s.purged = copied;
    s.source.clear();
    s.uuid = uuid;
    s.clone = clone_state::done;
    restart(ordinal);
  }
  kubernetes();
  write();
  if (app_reads_ == app_password_) {
    app_reads_in_ = read_ticks;
  } else if (--app_reads_in_ <= 0) {
    app_reads_ = app_password_;
  }
  check_now();
}

// What must be true at any time.
void model::check_now() {
  int able = 0;
  for (const auto& [ordinal, s] : servers_) {
    if (!wanted.backup.empty() && s.exists && ordinal > 0 && !known.restored) {
      throw broken(name(ordinal) + " was made before the backup was loaded");
    }
    if (!s.writable || !s.is_up || s.is_frozen) continue;
    if (!wanted.backup.empty() && !s.executed.contains(backup_set)) {
      throw broken(name(ordinal) + " takes writes without the backup");
    }
    if (!s.source_on) {
      ++able;
      if (known.acks > 0) throw broken(name(ordinal) + " takes writes without acknowledgements");
    } else {
      int could = 0;
      for (const auto& [other, r] : servers_)
        could += r.source == name(ordinal) && r.receiver_on && r.acknowledges && other != ordinal;
      if (could >= s.waits_for) ++able;
      if (s.waits_for < known.acks && ordinal == primary()) {
        throw broken("fewer acknowledgements than are on record");
      }
    }
  }
  check_passwords();
  if (able > 1) throw broken("two servers can acknowledge a write");
  if (known.epoch < epoch_seen_) throw broken("the epoch went back");
  epoch_seen_ = known.epoch;
}

passwords model::accepted(int ordinal) const {
  const auto& executed = servers_.at(ordinal).executed;
  const auto last = std::find_if(altered_.rbegin(), altered_.rend(),
                                 [&](const auto& one) { return executed.contains(one.first); });
  return last == altered_.rend() ? passwords() : last->second;
}

// The application is let in wherever writes are taken, a replica wherever it replicates from, and
// the operator everywhere.
void model::check_passwords() const {
  for (const auto& [ordinal, s] : servers_) {
    if (!s.is_up) continue;
    const auto here = accepted(ordinal);
    const auto lets_in = [&](int one) {
      return one != 0 && (here.accept(one) || s.start_password == one);
    };
    if (!lets_in(secret.present) && !lets_in(secret.next) && !lets_in(secret.old)) {
      throw broken("the operator cannot connect to " + name(ordinal) + describe());
    }
    if (s.writable && ordinal == primary() && !here.accept(app_reads_)) {
      throw broken("the application cannot connect to " + name(ordinal));
    }
    if (!s.receiver_on || s.source != known.primary) continue;
    if (!accepted(primary()).accept(s.receiver_password)) {
      throw broken(name(ordinal) + " could not connect to its source again");
    }
  }
}

void model::look_at_passwords(int ordinal, member& m) const {
  const auto here = accepted(ordinal);
  m.has_new_passwords = secret.next != 0 && here.present == secret.next;
  m.only_new_passwords = m.has_new_passwords && here.old == 0;
}

// All accounts at once: a half is as none for whoever looks. The statement returns when it is
// acknowledged.
void model::alter_users(server& on, const passwords& to) {
  if (!on.writable) throw std::string("read-only");
  for (const auto& [before, there] : altered_) {
    if (on.waiting.contains(before)) throw std::string("an earlier one still waits");
  }
  const auto transaction = gtid_set::parse(on.uuid + ":" + std::to_string(++written_[on.uuid]));
  on.waiting.add(transaction);
  altered_.emplace_back(transaction, to);
  replicate();
  commit_waiting(ordinal_of(known.primary));
  if (!on.executed.contains(transaction)) throw std::string("not acknowledged");
}

void model::carry_out_passwords(const step& s, server& m) {
  const auto here = accepted(ordinal_of(s.member));
  switch (s.what) {
    case action::draw_passwords:
      if (secret.next != 0) throw broken("passwords are drawn while others are on their way");
      secret.next = ++passwords_drawn_;
      secret.request = wanted.passwords;
      return;
    case action::publish_passwords:
      // Two Secrets, one after the other.
      if (secret.present == secret.next) {
        app_password_ = secret.next;
      } else {
        secret.old = std::exchange(secret.present, secret.next);
      }
      return;
    case action::forget_passwords:
      secret.next = secret.old = 0;
      return;
    case action::renew_passwords:
      if (here.present == secret.next) return;
      return alter_users(m, {secret.next, here.present});
    case action::discard_passwords:
      if (here.present != secret.next || here.old == 0) return;
      return alter_users(m, {here.present, 0});
    default:
      m.receiver_password = secret.present;
      m.receiver_on = true;
  }
}

view model::look() const {
  view v;
  v.name = "db";
  v.wanted = wanted;
  v.known = known;
  v.has_app = has_app_;
  v.close_failed = close_failed_;
  v.passwords.is_drawn = secret.next != 0;
  v.passwords.is_published = secret.present == secret.next && app_password_ == secret.next;
  v.passwords.request = secret.request;
  v.now_unix_ms = now_ms_;
  const int size = known.primary.empty() ? wanted.size : known.replicas + 1;
  for (const auto& [ordinal, s] : servers_) {
    if (!s.exists && ordinal >= size) continue;
    member m;
    m.name = name(ordinal);
    m.ordinal = ordinal;
    m.exists = s.exists;
    m.terminating = s.terminating;
    m.outdated = s.outdated;
    m.ready = m.reachable = s.is_up && !s.is_frozen && !hidden_.contains(ordinal);
    m.down = s.exists && !s.is_up;
    m.restores = s.restores;
    m.init_reason = s.init_reason;
    m.init_message = s.init_reason.empty() ? "" : m.name + ": " + s.init_reason;
    m.role = s.role;
    m.address = m.name;
    if (m.reachable) {
      m.server_uuid = s.uuid;
      m.writable = s.writable;
      m.executed = m.executed_before = s.executed;
      m.received = s.received;
      m.purged = s.purged;
      m.source = s.source;
      const bool hears = s.receiver_on && can_reach(ordinal, ordinal_of(s.source));
      m.is_denied = hears && !accepted(ordinal_of(s.source)).accept(s.receiver_password);
      if (m.is_denied) m.receiver_error = "Access denied";
      m.receiver = !s.receiver_on
                       ? thread_state::off
                       : (hears && !m.is_denied ? thread_state::on : thread_state::connecting);
      m.applier = s.applier_on && s.applier_error.empty() ? thread_state::on : thread_state::off;
      m.applier_error = s.applier_error;
      m.source_on = s.source_on;
      m.source_armed = s.source_armed;
      m.waits_for = s.waits_for;
      m.acknowledges = s.acknowledges;
      look_at_passwords(ordinal, m);
      m.clone = s.clone;
      m.clone_ended_ms_ago = 20'000;
    }
    v.members.push_back(std::move(m));
  }
  return v;
}

bool model::operate() {
  const view v = look();
  last_ = decide(v);
  close_failed_ = false;
  for (const auto& s : last_.steps) {
    if (steps_left == 0 && !dies_after_step) return false;
    try {
      carry_out(s);
    } catch (const std::string&) {  // the statement failed: the rest of the plan is dropped
      close_failed_ = s.what == action::close;
      return true;
    }
    ++steps_done;
    if (steps_left == 0) return false;
    if (steps_left > 0) --steps_left;
  }
  if (!apply_template()) return false;
  for (const auto& e : last_.events)
    events.push_back(e.reason + "(" + e.message + ")");
  // The status as a whole is written after the steps.
  known = last_.next;
  return true;
}

// The StatefulSet comes after the steps, and is one where it changes.
bool model::apply_template() {
  const std::string backup = last_.restores ? wanted.backup : "";
  if (has_set_ && template_backup_ == backup) return true;
  if (steps_left == 0 && !dies_after_step) return false;
  if (has_set_) ++template_generation;
  has_set_ = true;
  template_backup_ = backup;
  ++steps_done;
  if (steps_left == 0) return false;
  if (steps_left > 0) --steps_left;
  return true;
}

void model::carry_out(const step& s) {
  if (s.what == action::record) {
    known = s.to_record;
    return;
  }
  const int ordinal = ordinal_of(s.member);
  server& m = at(ordinal);
  const auto must_answer = [&] {
    if (!m.is_up || m.is_frozen || hidden_.contains(ordinal)) throw std::string("unreachable");
  };
  switch (s.what) {
    case action::label:
      m.role = s.text;
      return;
    case action::kill:
    case action::restart:
      if (s.what == action::restart && m.writable && primary() == ordinal && known.replicas > 0) {
        throw broken("a primary is restarted that has replicas");
      }
      stop(m);
      m.exists = false;
      m.terminating = false;
      return;
    default:
      must_answer();
  }
  switch (s.what) {
    case action::stop_receiver:
      m.receiver_on = false;
      return;
    case action::catch_up:
      if (!m.applier_error.empty()) throw std::string("applier");
      m.executed.add(m.received);
      return;
    case action::promote:
      if (!m.executed.contains(m.received)) throw broken("promoted before all was executed");
      m.source.clear();
      m.received = {};
      m.receiver_on = m.applier_on = false;
      return;
    case action::follow:
      if (m.writable) throw broken("a server that takes writes follows another");
      m.source_on = m.source_armed = false;
      m.source = s.text;
      m.receiver_on = m.applier_on = m.acknowledges = true;
      m.receiver_password = secret.present;
      return;
    case action::arm:
      m.source_on = m.source_armed = s.number > 0;
      m.waits_for = s.number;
      return;
    case action::open:
      if (known.primary != s.member) throw broken("opened, and another one is on record");
      if (!m.source.empty()) throw broken("opened while it follows another");
      m.writable = true;
      return;
    case action::close:
      if (m.close_hangs || !m.waiting.empty()) throw std::string("locked");
      m.writable = false;
      return;
    case action::clone:
      if (m.writable) throw broken("a server that takes writes is overwritten");
      m.clone = clone_state::running;
      m.clone_donor = s.text;
      m.start_password = secret.present;  // accounts are in its memory until it starts anew
      m.clone_ticks_left = clone_ticks;
      m.executed = {};
      m.received = {};
      m.receiver_on = m.applier_on = false;
      return;
    case action::ensure_app:
      has_app_ = true;
      return;
    default:
      carry_out_passwords(s, m);
  }
}

bool model::is_whole() const {
  if (primary() < 0 || !has_app_) return false;
  const auto p = servers_.find(primary());
  if (p == servers_.end() || !p->second.writable || p->second.role != "primary") return false;
  if (known.replicas != wanted.size - 1 || known.acks != wanted.acks()) return false;
  if (secret.next != 0 || known.passwords_done != wanted.passwords) return false;
  for (const auto& [ordinal, s] : servers_) {
    if (!s.exists || ordinal == primary()) continue;
    if (!s.is_up || s.source != known.primary || !s.receiver_on || s.role != "replica" ||
        s.outdated) {
      return false;
    }
  }
  return !p->second.outdated && last_.now == phase::ready;
}

void model::run(int ticks) {
  for (int i = 0; i < ticks; ++i) {
    tick();
    if (!operate()) steps_left = -1;  // another operator takes over
    check_now();
  }
}

void model::settle(int limit) {
  for (int i = 0; i < limit; ++i) {
    run(1);
    if (is_whole()) {
      check_history();
      return;
    }
  }
  throw broken("it does not become whole: " + last_.reason + ": " + last_.message + describe());
}

std::string model::describe() const {
  std::string made = "\nrecord: " + known.primary + " epoch " + std::to_string(known.epoch) +
                     " replicas " + std::to_string(known.replicas) + " acks " +
                     std::to_string(known.acks) + ", wanted " + std::to_string(wanted.size);
  for (const auto& [ordinal, s] : servers_) {
    made += "\n" + name(ordinal) + (s.exists ? "" : " gone") + (s.is_up ? " up" : " down") +
            (s.is_frozen ? " frozen" : "") + (s.writable ? " writable" : "") + " role=" + s.role +
            " source=" + s.source + (s.receiver_on ? " receives" : "") +
            (s.acknowledges ? " acknowledges" : "") +
            " clone=" + std::to_string(static_cast<int>(s.clone)) + " executed " +
            s.executed.text() + " accepts " + std::to_string(accepted(ordinal).present) + "," +
            std::to_string(accepted(ordinal).old) + " received " + s.received.text() + " purged " +
            s.purged.text();
  }
  made += "\nformer:";
  for (const auto& f : known.former)
    made += " " + f;
  made += "\nevents:";
  for (const auto& e : events)
    made += " " + e;
  for (const auto& f : last_.findings)
    made += "\n" + f.type + ": " + f.message;
  return made;
}

void model::check_history() const {
  const auto p = servers_.find(primary());
  if (p == servers_.end()) throw broken("no primary");
  const gtid_set lost = acknowledged - p->second.executed;
  if (!lost.empty()) throw broken("acknowledged and lost: " + lost.text());
}

}  // namespace mysql_cluster::testing
