#include "backup.hpp"

#include <charconv>

#include "backup_job.hpp"
#include "gtid.hpp"

namespace mysql_cluster {

namespace core = oarlock::k8s::core::v1;
namespace sdk = oarlock::sdk;
using oarlock::k8s::batch::v1::job;
using phase_name = mysql_oarlock_dev::v1alpha1::my_sql_backup_types::status_phase;

namespace {

// While its Job's last words are on their way, or a cluster is on its way.
constexpr std::chrono::milliseconds look_again{2000};

std::optional<std::int64_t> number_of(const std::string& text) {
  std::int64_t made = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), made);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return made;
}

// "512 B", "1.5 MiB": of the largest unit of which there is at least one.
std::string size_text(std::int64_t bytes) {
  static constexpr const char* units[] = {" B", " KiB", " MiB", " GiB", " TiB"};
  std::size_t unit = 0;
  std::int64_t tenths = bytes * 10;
  while (tenths >= 10240 && unit + 1 < std::size(units)) {
    tenths /= 1024;
    ++unit;
  }
  if (unit == 0) return std::to_string(bytes) + units[0];
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + units[unit];
}

std::optional<std::int64_t> count_of(const std::string& gtids) {
  try {
    const auto set = gtid_set::parse(gtids);
    if (!set.empty()) return set.count();
  } catch (const gtid_error&) {  // it was too long to be told
  }
  return std::nullopt;
}

class backup_plan {
 public:
  backup_plan(const backup_input& in, backup_output& out)
      : in_(in),
        out_(out),
        spec_(*in.primary().spec),
        there_(in.owned<job>(backup_job_name(in.name()))),
        status_(*in.primary().status) {
    status_.conditions.clear();
    status_.observed_generation.reset();
  }

  void go() {
    if (is_final()) {
      if (there_ != nullptr) keep(*there_);  // for its log
    } else if (there_ != nullptr) {
      follow(*there_);
    } else if (status_.phase == phase_name::running) {
      fail("JobLost", "its Job was deleted before it was seen to end");
    } else {
      start();
    }
    tell();
  }

 private:
  [[nodiscard]] bool is_final() const {
    return status_.phase == phase_name::succeeded || status_.phase == phase_name::failed;
  }

  void fail(const std::string& reason, const std::string& message) {
    status_.phase = phase_name::failed;
    status_.reason = reason;
    status_.message = message;
    if (!status_.completed_at) {
      status_.completed_at = sdk::timestamp::of_unix_ms(in_.now_unix_ms());
    }
    out_.warning_event("BackupFailed", reason + ": " + message);
  }

  // A child that is not named would be deleted. It exists, so nothing is made.
  void keep(const job& there) {
    job same;
    same.metadata->name = there.metadata->name;
    out_.create_once(same);
  }

  [[nodiscard]] const my_sql_cluster* cluster() const {
    for (const auto* one : in_.watched<my_sql_cluster>()) {
      if (one->metadata->name == spec_.cluster_name) return one;
    }
    return nullptr;
  }

  [[nodiscard]] bool has_claim() const {
    for (const auto* one : in_.watched<core::persistent_volume_claim>()) {
      if (one->metadata->name == spec_.storage->claim_name) {
        return !one->metadata->deletion_timestamp;
      }
    }
    return false;
  }

  // A replica that has nothing to tell. The primary only where there are no replicas: its clients
  // wait for the moment in which the snapshot is taken.
  [[nodiscard]] static std::optional<backup_source> source(const my_sql_cluster& cluster) {
    std::optional<backup_source> found;
    for (const auto& m : cluster.status->members) {
      const bool is_alone = cluster.status->replica_count.value_or(0) == 0;
      const bool is_able = m.role == "Replica" || (is_alone && m.role == "Primary");
      if (is_able && m.address && !m.message) found = backup_source{m.name, *m.address};
    }
    return cluster.status->opened.value_or(false) ? found : std::nullopt;
  }

  void start() {
    status_.phase = phase_name::pending;
    const auto* of = cluster();
    const auto from = of == nullptr ? std::nullopt : source(*of);
    if (of == nullptr) {
      return wait("ClusterNotFound",
                  "expected the MySQLCluster " + spec_.cluster_name + ", found none");
    }
    if (!from) {
      return wait("ClusterNotReady", "expected a replica of " + spec_.cluster_name +
                                         " that is healthy, or a primary that has no replicas; "
                                         "its phase is " +
                                         (of->status->phase ? std::string(of->status->phase.text())
                                                            : std::string("not known yet")));
    }
    if (!has_claim()) {
      return wait("ClaimNotFound", "expected the PersistentVolumeClaim " +
                                       spec_.storage->claim_name + ", found none");
    }
    out_.create_once(backup_job(in_.primary(), *of, *from));
    status_.phase = phase_name::running;
    status_.reason = "Running";
    status_.message = from->pod + " is dumped";
    status_.server = from->pod;
    status_.started_at = sdk::timestamp::of_unix_ms(in_.now_unix_ms());
    out_.normal_event("BackupStarted", *status_.message);
  }

  void wait(const std::string& reason, const std::string& message) {
    const std::int64_t since = in_.primary().metadata->creation_timestamp.unix_ms().value_or(0);
    const std::int64_t left =
        since + std::int64_t{*spec_.start_deadline_seconds} * 1000 - in_.now_unix_ms();
    if (left <= 0) {
      return fail(reason, message + " within " + std::to_string(*spec_.start_deadline_seconds) +
                              " s (spec.startDeadlineSeconds)");
    }
    status_.reason = reason;
    status_.message = message;
    out_.requeue_after(std::chrono::milliseconds(left));
  }

  void follow(const job& there) {
    keep(there);
    status_.phase = phase_name::running;
    status_.server = source_of(there);
    if (!status_.started_at) status_.started_at = there.metadata->creation_timestamp;
    status_.reason = "Running";
    status_.message = *status_.server + " is dumped";
    const auto found = outcome_of(there, in_.watched<core::pod>(), in_.now_unix_ms());
    if (found.ended_unix_ms) {
      status_.completed_at = sdk::timestamp::of_unix_ms(*found.ended_unix_ms);
    }
    switch (found.is) {
      case backup_outcome::state::running:
        status_.completed_at = {};
        if (!found.message.empty()) *status_.message += "; its pod: " + found.message;
        if (found.ended_unix_ms) out_.requeue_after(look_again);
        return;
      case backup_outcome::state::failed:
        return fail(found.reason, found.message);
      case backup_outcome::state::succeeded:
        return enter(found);
    }
  }

  void enter(const backup_outcome& found) {
    status_.phase = phase_name::succeeded;
    status_.reason = "Complete";
    status_.bytes = number_of(found.bytes);
    status_.raw_bytes = number_of(found.raw_bytes);
    status_.transactions = count_of(found.gtids);
    if (status_.bytes) status_.size = size_text(*status_.bytes);
    const auto set = [](auto& field, const std::string& text) {
      if (!text.empty()) field = text;
    };
    set(status_.gtids, found.gtids);
    set(status_.sha256, found.sha256);
    set(status_.server_version, found.server_version);
    set(status_.tool, found.tool);
    status_.message = status_.size ? *status_.size + " of " + *status_.server
                                   : "its pod is gone: the manifest has the figures";
    out_.normal_event("BackupComplete", *status_.message);
  }

  void tell() {
    const std::string reason = status_.reason.value_or("");
    const std::string message = status_.message.value_or("");
    if (const auto failed = in_.last_failure(); failed && !is_final()) {
      out_.not_ready(failed->reason,
                     std::string(failed->step).append(": ").append(failed->message));
    } else if (status_.phase == phase_name::succeeded) {
      out_.ready(reason, message);
    } else if (status_.phase == phase_name::failed) {
      out_.stalled(reason, message);
    } else {
      out_.reconciling(reason, message);
    }
    out_.status(status_);
  }

  const backup_input& in_;
  backup_output& out_;
  const mysql_oarlock_dev::v1alpha1::my_sql_backup_types::spec& spec_;
  const job* there_;
  my_sql_backup::status_type status_;
};

}  // namespace

void plan_backup(const backup_input& in, backup_output& out) {
  backup_plan(in, out).go();
}

}  // namespace mysql_cluster
