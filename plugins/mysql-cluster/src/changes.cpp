#include <algorithm>

#include "decider.hpp"
#include "version.hpp"

namespace mysql_cluster {
namespace {

// What a new primary may still have to execute while nobody can write.
constexpr std::int64_t lag_max = 1000;
constexpr std::int64_t retry_close_ms = 10'000;
constexpr std::size_t disabled_events_max = 64;

std::string pod_of(const std::string& request) {
  return request.substr(0, request.find('@'));
}

}  // namespace

// One change at a time: the size on record, another primary, then pods of an older template.
void decider::change(const member& p) {
  if (switch_over(p)) return;
  if (resize(p)) return;
  if (roll(p)) return;
}

// What servers take while they run, the primary last, so that a replica refuses what is wrong.
void decider::configure() {
  if (v_.wanted.is_configuration_refused) return;
  const auto differs = [&](const member& m) {
    settings made;
    for (const auto& [key, value] : v_.wanted.variables) {
      const auto found = m.variables.find(key);
      if (found != m.variables.end() && !is_same_value(found->second, value)) made[key] = value;
    }
    return made;
  };
  for (const bool is_primary : {false, true}) {
    for (const auto& m : v_.members) {
      if (!m.reachable || is_primary == is_replica(m) || m.clone == clone_state::running) continue;
      if (const auto what = differs(m); !what.empty()) {
        say(action::configure, m, lines_of(what));
        look_again(500);
      }
    }
  }
}

// Events that come by replication do not run, and whether somebody had disabled them is lost there:
// what the primary said of them last is on record.
void decider::revive_events(const member& p) {
  if (!v_.knows_events) return;
  const auto& known = v_.known.disabled_events;
  if (v_.replicated_events.empty()) {
    d_.next.disabled_events = v_.disabled_events;
    if (v_.disabled_events.size() > disabled_events_max) d_.next.disabled_events = {"*"};
    return;
  }
  if (std::ranges::binary_search(known, "*")) {
    return find("EventsDisabled", "NotKnownWhich",
                std::to_string(v_.replicated_events.size()) + " events on " + p.name +
                    " do not run since it became the primary, and more than " +
                    std::to_string(disabled_events_max) +
                    " were disabled by hand before; enable those that shall run with ALTER EVENT");
  }
  std::string what;
  for (const auto& name : v_.replicated_events)
    what += name + (std::ranges::binary_search(known, name) ? "=DISABLE\n" : "=ENABLE\n");
  say(action::alter_events, p, std::move(what));
}

bool decider::resize(const member& p) {
  const int wanted = v_.wanted.size - 1;
  if (wanted >= v_.known.replicas) d_.next.leaving_to = 0;
  if (wanted == v_.known.replicas) return promise_less();
  if (wanted < v_.known.replicas) {
    shrink(p);
    return true;
  }
  // On record before any of the new ones can acknowledge a write.
  record next = d_.next;
  next.replicas = wanted;
  keep(next);
  state(phase::scaling, "ScalingUp", "to " + std::to_string(v_.wanted.size) + " members");
  event(false, "ScalingUp", "to " + std::to_string(v_.wanted.size) + " members");
  return true;
}

// Fewer acknowledgements are on record before the primary waits for fewer; more of them arm() sees
// to.
bool decider::promise_less() {
  if (v_.wanted.acks() >= v_.known.acks) return false;
  record next = d_.next;
  next.acks = v_.wanted.acks();
  keep(next);
  event(false, "DurabilityChanged",
        "each write waits for " + std::to_string(next.acks) + " acknowledgements");
  return true;
}

// First fewer acknowledgements on record; then those that leave acknowledge nothing more, and those
// that stay have all that was acknowledged; then fewer replicas on record.
void decider::shrink(const member& p) {
  state(phase::scaling, "ScalingDown", "to " + std::to_string(v_.wanted.size) + " members");
  if (is_surplus(p)) {
    d_.message += "; the primary has to move to one that stays first";
    return;
  }
  record next = d_.next;
  const int acks = v_.wanted.acks();
  if (acks < v_.known.acks) {
    next.acks = acks;
    return keep(next);
  }
  bool are_out = true;
  for (const auto& m : v_.members) {
    if (!is_surplus(m) || !m.exists) continue;
    if (m.reachable && m.receiver == thread_state::off) continue;
    are_out = false;
    if (m.reachable) {
      say(action::stop_receiver, m);
    } else {
      d_.message += "; waiting for " + m.name + " to answer";
    }
  }
  look_again(500);
  if (!are_out) return;
  if (v_.known.leaving_to != v_.wanted.size) {
    // On record first: what those that stay are compared with is read after that.
    next.leaving_to = v_.wanted.size;
    return keep(next);
  }
  const int staying = count([&](const member& m) { return !is_surplus(m) && is_caught_up(p, m); });
  if (staying < acks) {
    d_.message += "; waiting for " + std::to_string(acks) + " that stay to have everything";
    return;
  }
  next.replicas = v_.wanted.size - 1;
  next.leaving_to = 0;
  keep(next);
  event(false, "ScaledDown", "to " + std::to_string(v_.wanted.size) + " members");
}

// Why no more members get the newest template: one that has it runs another MySQL than was asked
// for, or an older one than the primary, whose data would not be read there.
std::string decider::mismatch(const member& p) const {
  for (const auto& m : v_.members) {
    if (!m.reachable || m.outdated || m.version.empty()) continue;
    const std::string runs = m.name + " runs MySQL " + m.version;
    if (!v_.wanted.version.empty() && !meets_version(m.version, v_.wanted.version)) {
      return runs + ", expected " + v_.wanted.version +
             " as spec.version says; name an image that has it in spec.image, or take spec.version "
             "back";
    }
    if (is_replica(m) && version_of(m.version) < version_of(p.version)) {
      return runs + " and the primary " + p.version +
             "; MySQL cannot go back to an older version: take spec.image back, or restore a "
             "backup "
             "into a new cluster";
    }
  }
  return {};
}

const member* decider::candidate(const member& p, const std::string& wanted) const {
  const member* found = nullptr;
  for (const auto& m : v_.members) {
    if (!wanted.empty() && m.name != wanted) continue;
    // A primary that is closed has nobody write, so that replicas may have been told to stop.
    const bool is_able = follows(p, m) && m.applier == thread_state::on && errant(p, m).empty() &&
                         !m.terminating && !is_surplus(m) &&
                         (p.executed_before - m.executed).count() <= lag_max;
    if (!is_able) continue;
    // One that is new already need not be left again.
    if (found == nullptr || (found->outdated && !m.outdated)) found = &m;
  }
  return found;
}

bool decider::switch_over(const member& p) {
  const bool is_asked =
      !v_.wanted.switchover.empty() && v_.wanted.switchover != v_.known.switchover_done;
  const std::string asked = is_asked ? pod_of(v_.wanted.switchover) : "";
  if (is_asked && asked == p.name) {
    record next = d_.next;
    next.switchover_done = v_.wanted.switchover;
    keep(next);
    return true;
  }
  const bool others_are_new =
      p.outdated && mismatch(p).empty() && v_.known.replicas > 0 &&
      v_.known.replicas == v_.wanted.size - 1 &&
      count([&](const member& m) {
        return is_replica(m) && !m.outdated && is_caught_up(p, m) && m.applier == thread_state::on;
      }) == v_.known.replicas;
  const bool must_move = p.terminating || is_surplus(p) || others_are_new;
  if (!is_asked && !must_move) return false;
  const member* to = candidate(p, asked);
  if (to == nullptr) {
    if (is_asked) {
      refuse_switchover(asked + " is no replica that has nearly everything");
      return true;
    }
    if (p.terminating) return false;  // it goes by itself, and then it is a failover
    state(phase::degraded, "NoCandidate",
          p.name + " has to be replaced, and no replica can take its place yet");
    return true;
  }
  hand_over(p, *to);
  return true;
}

// Nobody writes; the new one has everything; it is on record. From then on the old one is a replica
// and the new one is opened, by the rules for any start.
void decider::hand_over(const member& p, const member& to) {
  state(phase::switching_over, "SwitchingOver", "from " + p.name + " to " + to.name);
  look_again(100);
  if (p.writable) {
    if (v_.close_failed) {
      if (!v_.wanted.switchover.empty()) {
        refuse_switchover("commits or locks kept " + p.name + " from becoming read-only");
      }
      d_.look_again_ms = retry_close_ms;
      return;
    }
    is_switching_ = true;
    label(p, "");
    say(action::close, p);
    return;
  }
  is_switching_ = true;
  if (!to.executed.contains(p.executed)) return say(action::catch_up, to, p.executed.text());
  record next = d_.next;
  next.primary = to.name;
  next.primary_uuid = to.server_uuid;
  next.epoch = v_.known.epoch + 1;
  ++next.switchovers;
  next.switchover_done = v_.wanted.switchover;
  keep(next);
  event(false, "SwitchedOver",
        to.name + " is the primary in place of " + p.name + " (epoch " +
            std::to_string(next.epoch) + ")");
}

void decider::refuse_switchover(const std::string& why) {
  if (v_.wanted.switchover == v_.known.switchover_done) return;
  record next = d_.next;
  next.switchover_done = v_.wanted.switchover;
  keep(next);
  event(true, "SwitchoverRefused", v_.wanted.switchover + ": " + why);
}

// Replicas of an older template are replaced from the highest ordinal down, each while all others
// are whole; the primary's turn comes by a switchover. One that does not run is replaced at once:
// it has nothing to lose, and a mended template must reach it.
bool decider::roll(const member& p) {
  for (const auto& m : v_.members) {
    const bool fails = !m.trouble.empty() || !m.init_reason.empty();
    if (is_replica(m) && m.exists && m.outdated && !m.reachable && fails && !m.terminating) {
      say(action::restart, m);
      return true;
    }
  }
  const int outdated = count([](const member& m) { return m.exists && m.outdated; });
  if (outdated == 0) return false;
  state(phase::updating, "Updating", std::to_string(outdated) + " pods are of an older template");
  if (auto why = mismatch(p); !why.empty()) {
    d_.message += "; no more of them are replaced, as " + why;
    return true;
  }
  const bool are_whole =
      p.writable && std::ranges::all_of(v_.members, [&](const member& m) {
        return !is_replica(m) || (is_caught_up(p, m) && m.applier == thread_state::on && m.ready);
      });
  if (!are_whole || !d_.steps.empty()) {
    d_.message += "; the next one when all members are whole";
    return true;
  }
  const member* next = nullptr;
  for (const auto& m : v_.members) {
    if (is_replica(m) && m.outdated) next = &m;
  }
  if (next == nullptr && v_.known.replicas == 0) next = &p;
  if (next == nullptr) return true;
  say(action::restart, *next);
  event(false, "Updating", next->name + " is started anew");
  return true;
}

}  // namespace mysql_cluster
