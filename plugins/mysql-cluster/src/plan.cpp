#include "plan.hpp"

#include <algorithm>

#include "children.hpp"
#include "names.hpp"
#include "oarlock/k8s/apps/v1.hpp"
#include "oarlock/k8s/batch/v1.hpp"
#include "oarlock/k8s/core/v1.hpp"
#include "tls.hpp"
#include "volumes.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;
using oarlock::k8s::core::v1::pod;

namespace {

const pod* pod_named(const std::vector<const pod*>& pods, std::string_view name) {
  const auto found =
      std::ranges::find_if(pods, [&](const pod* p) { return p->metadata->name == name; });
  return found == pods.end() ? nullptr : *found;
}

json::value payload_of(const step& s, const view& v) {
  const member* m = v.find(s.member);
  return json::object({{"member", s.member},
                       {"address", m == nullptr ? "" : m->address},
                       {"text", s.text},
                       {"number", s.number}});
}

my_sql_cluster::status_type fields_of(const record& r) {
  my_sql_cluster::status_type made;
  if (!r.primary.empty()) made.primary = r.primary;
  if (!r.primary_uuid.empty()) made.primary_uuid = r.primary_uuid;
  made.former_primaries = r.former;
  made.epoch = r.epoch;
  made.replica_count = r.replicas;
  made.acknowledgements = r.acks;
  made.opened = r.opened;
  if (r.restored) made.restored = true;
  if (r.leaving_to != 0) made.leaving_to = r.leaving_to;
  if (r.lost_since_unix_ms) made.lost_since = sdk::timestamp::of_unix_ms(*r.lost_since_unix_ms);
  if (r.failovers != 0) made.failovers = r.failovers;
  if (r.switchovers != 0) made.switchovers = r.switchovers;
  if (r.failover_since_unix_ms) {
    made.failover_since = sdk::timestamp::of_unix_ms(*r.failover_since_unix_ms);
  }
  if (r.last_failover_s != 0) made.last_failover_seconds = r.last_failover_s;
  if (!r.disabled_events.empty()) made.disabled_events = r.disabled_events;
  if (!r.switchover_done.empty()) made.switchover_done = r.switchover_done;
  made.quarantined = r.quarantined;
  auto& passwords = *made.passwords;
  if (!r.passwords_done.empty()) passwords.done = r.passwords_done;
  if (r.password_changes != 0) passwords.changes = r.password_changes;
  if (r.passwords_published_unix_ms) {
    passwords.published_at = sdk::timestamp::of_unix_ms(*r.passwords_published_unix_ms);
  }
  passwords.told = r.passwords_told;
  return made;
}

void write_passwords(const input& in, std::string_view what, output& out) {
  const auto all = in.observation()["passwords"][what];
  for (const auto& name : {accounts_secret(in.name()), app_secret(in.name())}) {
    if (all[name].is_object()) out.apply(secret_of(in, name, all[name]));
  }
}

void carry_out(const step& s, const input& in, const view& v, const std::vector<const pod*>& pods,
               output& out) {
  const pod* of = pod_named(pods, s.member);
  switch (s.what) {
    case action::label: {
      if (of == nullptr) return;
      pod changed = *of;
      if (s.text.empty()) {
        changed.metadata->labels.erase(role_label);
      } else {
        changed.metadata->labels[role_label] = s.text;
      }
      return out.patch_existing(*of, changed);
    }
    case action::kill:
      if (of != nullptr) out.remove(*of, false, std::chrono::seconds(0));
      return;
    case action::restart:
      if (of != nullptr) out.remove(*of);
      return;
    case action::record:
      return out.swap_status(in.primary(), fields_of(s.to_record));
    case action::draw_passwords:
      return write_passwords(in, "draw", out);
    case action::publish_passwords:
      return write_passwords(in, "publish", out);
    case action::forget_passwords:
      return write_passwords(in, "forget", out);
    default:
      out.effect(std::string(effect_name(s.what)) + "." + s.member, payload_of(s, v));
  }
}

bool concerns_replica_only(action what) {
  return what == action::alter_events || what == action::configure || what == action::follow ||
         what == action::clone || what == action::stop_receiver || what == action::tell_password;
}

bool concerns_passwords(action what) {
  return what == action::draw_passwords || what == action::publish_passwords ||
         what == action::forget_passwords || what == action::renew_passwords ||
         what == action::discard_passwords;
}

// A replica that refuses a statement must not keep the rest from being done: its turn comes last.
// New passwords can wait for everything else.
bool comes_last(const step& s, const input& in) {
  if (concerns_passwords(s.what)) return true;
  const auto failure = in.last_failure();
  if (!failure || !concerns_replica_only(s.what)) return false;
  return failure->step == "effect " + std::string(effect_name(s.what)) + "." + s.member;
}

std::string_view role_of(const member& m, const decision& d) {
  if (m.name == d.next.primary) return m.reachable ? "Primary" : "Down";
  if (!m.reachable) return "Down";
  if (m.clone == clone_state::running) return "Cloning";
  if (std::ranges::binary_search(d.next.quarantined, m.name)) return "Quarantined";
  return m.receiver == thread_state::on ? "Replica" : "None";
}

std::string message_of(const member& m) {
  for (const auto* text : {&m.trouble, &m.error, &m.applier_error, &m.receiver_error}) {
    if (!text->empty()) return sdk::shorten(*text, 256);
  }
  return {};
}

// Of the Jobs that are still there and of what was seen before: the youngest.
void tell_last_backup(const input& in, my_sql_cluster::status_type& status) {
  status.last_backup = in.primary().status->last_backup;
  auto known = in.primary().status->last_backup->completed_at.unix_ms();
  for (const auto* one : in.watched<oarlock::k8s::batch::v1::job>()) {
    const auto at = one->status->completion_time.unix_ms();
    if (!at || (known && *known >= *at)) continue;
    if (!sdk::is_condition(one->status->conditions, "Complete")) continue;
    known = at;
    status.last_backup->name = std::string(one->metadata->label(backup_label));
    status.last_backup->completed_at = one->status->completion_time;
  }
}

void tell_status(const input& in, const view& v, const decision& d,
                 const std::vector<const pod*>& pods, output& out) {
  using phase_name = mysql_oarlock_dev::v1alpha1::my_sql_cluster_types::status_phase;
  auto status = fields_of(d.next);
  static constexpr phase_name names[] = {
      phase_name::creating, phase_name::restoring,    phase_name::ready,
      phase_name::degraded, phase_name::failing_over, phase_name::switching_over,
      phase_name::updating, phase_name::scaling,      phase_name::blocked};
  status.phase = names[static_cast<std::size_t>(d.now)];
  status.synced = std::to_string(d.synced) + "/" + std::to_string(v.wanted.size - 1);
  status.replicas = static_cast<std::int32_t>(pods.size());
  status.ready_replicas =
      static_cast<std::int32_t>(std::ranges::count_if(v.members, &member::ready));
  status.selector = std::string(cluster_label) + "=" + v.name;
  for (const auto& m : v.members) {
    auto& one = status.members.emplace_back();
    one.name = m.name;
    one.role = std::string(role_of(m, d));
    if (!m.address.empty()) one.address = m.address;
    if (!m.server_uuid.empty()) one.server_uuid = m.server_uuid;
    if (!m.version.empty()) one.version = m.version;
    if (auto text = message_of(m); !text.empty()) one.message = std::move(text);
    if (m.name == d.next.primary && !m.version.empty()) status.version = m.version;
  }
  tell_last_backup(in, status);
  tend_certificates(in, v, status, out);
  tend_volumes(in, v, status, out);
  if (const auto refusal = refusal_of(in); !refusal.empty()) {
    status.config_refusal->generation = in.primary().metadata->generation;
    status.config_refusal->message = sdk::shorten(refusal, 512);
    out.condition("ConfigInvalid", true, std::string(setting_refused),
                  refusal + "; my.cnf keeps what the servers have: change spec.config");
  }
  out.status(status);
}

void tell_conditions(const input& in, const decision& d, output& out) {
  if (const auto failed = in.last_failure(); failed && d.now != phase::ready) {
    out.not_ready(failed->reason, std::string(failed->step).append(": ").append(failed->message));
  } else if (d.now == phase::ready) {
    out.ready(d.reason, d.message);
  } else if (d.now == phase::blocked) {
    out.stalled(d.reason, d.message);
  } else {
    out.reconciling(d.reason, d.message);
  }
  for (const auto& f : d.findings)
    out.condition(f.type, true, f.reason, f.message);
  const bool is_possible = d.next.acks > 0 && d.synced >= d.next.replicas + 1 - d.next.acks;
  out.condition("FailoverPossible", is_possible, is_possible ? "Quorum" : "NoQuorum",
                std::to_string(d.synced) + " replicas have everything; " +
                    std::to_string(d.next.replicas + 1 - d.next.acks) +
                    " are needed to replace the primary");
  for (const auto& e : d.events) {
    if (e.is_warning) {
      out.warning_event(e.reason, e.message);
    } else {
      out.normal_event(e.reason, e.message);
    }
  }
  out.requeue_after(std::chrono::milliseconds(d.look_again_ms));
}

}  // namespace

std::string_view effect_name(action what) {
  switch (what) {
    case action::stop_receiver:
      return "stop-receiver";
    case action::catch_up:
      return "catch-up";
    case action::promote:
      return "promote";
    case action::follow:
      return "follow";
    case action::arm:
      return "arm";
    case action::open:
      return "open";
    case action::close:
      return "close";
    case action::clone:
      return "clone";
    case action::alter_events:
      return "alter-events";
    case action::configure:
      return "configure";
    case action::ensure_app:
      return "ensure-app";
    case action::renew_passwords:
      return "renew-passwords";
    case action::tell_password:
      return "tell-password";
    case action::discard_passwords:
      return "discard-passwords";
    default:
      return {};
  }
}

void plan(const input& in, output& out) {
  const my_sql_cluster& cluster = in.primary();
  if (cluster.spec->paused == true) {
    my_sql_cluster::status_type same = *cluster.status;
    same.phase = mysql_oarlock_dev::v1alpha1::my_sql_cluster_types::status_phase::paused;
    out.status(same);
    return out.not_ready("Paused", "spec.paused is true: nothing is done");
  }
  const view v = view_of(in);
  const decision d = decide(v);
  const auto pods = in.watched<pod>();
  create_secrets(in, out);
  const bool is_publishing = std::ranges::any_of(
      d.steps, [](const step& s) { return s.what == action::publish_passwords; });
  write_renewed_secrets(in, !is_publishing, out);
  std::vector<const step*> last;
  for (const auto& s : d.steps) {
    if (comes_last(s, in)) {
      last.push_back(&s);
    } else {
      carry_out(s, in, v, pods, out);
    }
  }
  const int first = d.restores ? 1 : v.wanted.size;
  apply_children(in, v, v.known.primary.empty() ? first : v.known.replicas + 1, d.restores, out);
  for (const step* s : last)
    carry_out(*s, in, v, pods, out);
  tell_status(in, v, d, pods, out);
  tell_conditions(in, d, out);
}

}  // namespace mysql_cluster
