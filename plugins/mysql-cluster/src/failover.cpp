#include <algorithm>
#include <tuple>

#include "decider.hpp"
#include "version.hpp"

namespace mysql_cluster {
namespace {

// A server that does not answer is asked again before that counts, two polls at least.
constexpr std::int64_t confirm_ms = 4000;
// How long replicas may be cut off from a primary that answers us.
constexpr std::int64_t ack_stall_ms = 15'000;

}  // namespace

// How long it has been lost, by the clock that was on record then; it counts from now on where that
// clock was put back since.
std::int64_t decider::lost_for_ms() {
  auto& since = d_.next.lost_since_unix_ms;
  if (!since || *since > v_.now_unix_ms) since = v_.now_unix_ms;
  return v_.now_unix_ms - *since;
}

std::int64_t decider::stall_ms() const {
  return std::max(ack_stall_ms, v_.wanted.failover_delay_ms);
}

void decider::without_primary(const member* p, bool at_once, const std::string& why) {
  const std::string name = v_.known.primary;
  state(phase::degraded, "PrimaryUnreachable", "primary " + name + ": " + why);
  look_again(1000);
  if (v_.known.replicas == 0 && !at_once) {
    d_.message += "; it is the only member, and is waited for";
    if (p != nullptr && !p->trouble.empty()) find("PodTrouble", "PodNotRunning", p->trouble);
    return;
  }
  const std::int64_t lost_for = lost_for_ms();
  if (!at_once) {
    const int hear_it = count([&](const member& m) {
      return is_replica(m) && m.reachable && m.receiver == thread_state::on;
    });
    if (hear_it >= std::max(1, v_.known.acks)) {
      d_.message += "; " + std::to_string(hear_it) +
                    " replicas still hear it, so it is not replaced: expected a network in which "
                    "the operator reaches it too";
      return;
    }
    const bool is_down = p == nullptr || !p->exists || p->down;
    const std::int64_t wait =
        std::max(is_down ? std::int64_t{0} : confirm_ms, v_.wanted.failover_delay_ms);
    if (lost_for < wait) {
      d_.message += "; it is replaced after " + std::to_string(wait / 1000) + " s";
      return;
    }
  }
  fail_over(p, why);
}

// So many that one of them has each acknowledged write.
int decider::needed() const {
  return v_.known.replicas + 1 - v_.known.acks;
}

// Replicas that answer and have what they say, and nothing that the primary never had.
std::vector<const member*> decider::trusted(const member* p) const {
  std::vector<const member*> all;
  for (const auto& m : v_.members) {
    const bool is_errant = std::ranges::binary_search(v_.known.quarantined, m.name) ||
                           (p != nullptr && p->reachable &&
                            p->server_uuid == v_.known.primary_uuid && !errant(*p, m).empty());
    const bool is_whole = m.has_data() || (!v_.known.opened && m.clone == clone_state::none);
    if (is_replica(m) && is_on_record(m) && m.reachable && is_whole && !is_errant)
      all.push_back(&m);
  }
  return all;
}

void decider::fail_over(const member* p, const std::string& why) {
  const std::string name = v_.known.primary;
  if (!v_.wanted.automatic_failover) {
    return block("ManualFailover", name + ": " + why + "; spec.failover.policy is Manual");
  }
  const std::string rule = std::to_string(v_.known.replicas) + " replicas and " +
                           std::to_string(v_.known.acks) + " acknowledgements for a write";
  const auto have = trusted(p);
  if (static_cast<int>(have.size()) < needed()) {
    return block("QuorumLost",
                 name + ": " + why + "; with " + rule + ", " + std::to_string(needed()) +
                     " replicas must answer to be sure that no write is lost, found " +
                     std::to_string(have.size()));
  }
  state(phase::failing_over, "FailingOver", name + ": " + why);
  look_again(100);
  if (p != nullptr && p->exists && p->role == "primary") {
    label(*p, "");
    event(true, "FailoverStarted", name + ": " + why);
  }
  bool are_fenced = true;
  for (const member* m : have) {
    if (m->receiver == thread_state::off) continue;
    say(action::stop_receiver, *m);
    are_fenced = false;
  }
  if (!are_fenced) return;  // what they have is read after that
  elect(have);
}

// All of `fenced` get nothing more from the old primary. The one that has what all have becomes the
// new one, once it has executed it.
void decider::elect(const std::vector<const member*>& fenced) {
  gtid_set all;
  for (const member* m : fenced)
    all.add(m->all());
  std::vector<const member*> able;
  std::ranges::copy_if(fenced, std::back_inserter(able),
                       [&](const member* m) { return m->all().contains(all); });
  if (able.empty()) {
    std::string sets;
    for (const member* m : fenced)
      sets += "; " + m->name + " lacks " + (all - m->all()).text();
    return block("Incomparable", "no replica has all that the replicas have" + sets);
  }
  // An older server cannot replicate from a newer one for sure.
  const auto in_order = [](const member* m) {
    return std::tuple{m->terminating, !m->applier_error.empty(), version_of(m->version),
                      m->ordinal};
  };
  const member* best = *std::ranges::min_element(able, {}, in_order);
  if (!best->applier_error.empty()) {
    return block("ApplierStopped", best->name + " has all writes and cannot execute them: " +
                                       best->applier_error + "; start its applier again");
  }
  if (!best->executed.contains(best->received)) {
    d_.message += "; " + best->name + " executes what it has received";
    say(action::catch_up, *best, best->received.text());
    return;
  }
  record next = d_.next;
  next.primary = best->name;
  next.primary_uuid = best->server_uuid;
  std::erase(next.former, v_.known.primary);
  next.former.insert(std::ranges::upper_bound(next.former, v_.known.primary), v_.known.primary);
  next.epoch = v_.known.epoch + 1;
  ++next.failovers;
  // Where one failover follows on another, writes have been waiting since the first.
  if (!next.failover_since_unix_ms) next.failover_since_unix_ms = next.lost_since_unix_ms;
  next.lost_since_unix_ms.reset();
  keep(next);
  event(true, "FailedOver",
        best->name + " is the primary in place of " + v_.known.primary + " (epoch " +
            std::to_string(next.epoch) + ")");
}

void decider::block(const std::string& reason, const std::string& message) {
  state(phase::blocked, reason, message);
  find("FailoverBlocked", reason, message);
  look_again(2000);
}

}  // namespace mysql_cluster
