#pragma once
// The Job of a backup: what it looks like, and what came of it.
#include <optional>
#include <string>
#include <vector>

#include "backup.hpp"
#include "oarlock/k8s/batch/v1.hpp"
#include "oarlock/k8s/core/v1.hpp"
#include "plan.hpp"

namespace mysql_cluster {

/// A server that can be dumped.
struct backup_source {
  std::string pod, address;
};

[[nodiscard]] std::string backup_job_name(std::string_view backup);
[[nodiscard]] oarlock::k8s::batch::v1::job backup_job(const my_sql_backup& backup,
                                                      const my_sql_cluster& cluster,
                                                      const backup_source& source);
/// The pod that a Job of backup_job() dumps.
[[nodiscard]] std::string source_of(const oarlock::k8s::batch::v1::job& job);

struct backup_outcome {
  enum class state { running, succeeded, failed };
  state is = state::running;
  std::string reason;   ///< why it failed, as one word
  std::string message;  ///< or what its pod waits for
  // What the pod said of a backup that succeeded; empty where it is gone.
  std::string bytes, raw_bytes, gtids, sha256, server_version, tool;
  std::optional<std::int64_t> ended_unix_ms;
};
/// `pods`: of the backup, of whatever Job. An ended Job whose pod has not been seen to end is
/// running for some seconds more: what the pod said may be on its way.
[[nodiscard]] backup_outcome outcome_of(const oarlock::k8s::batch::v1::job& job,
                                        const std::vector<const oarlock::k8s::core::v1::pod*>& pods,
                                        std::int64_t now_unix_ms);

}  // namespace mysql_cluster
