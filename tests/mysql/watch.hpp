#pragma once
// Looks at a cluster beside the operator: its record, and its servers, by the operator's account.
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "plugins/mysql-cluster/src/sql.hpp"
#include "tests/mysql/history.hpp"
#include "tests/support/cluster.hpp"

namespace mysql_cluster::testing {

struct watched {
  const oarlock::testing::kubectl_user& kube;
  std::string ns, name;
};

/// The password and the CA in the cluster's Secrets; empty strings before they are there.
[[nodiscard]] sql_target admin_of(const watched& w);
[[nodiscard]] sql_target application_of(const watched& w);

/// One look. Nothing when the record changed meanwhile: what was seen then is of two times.
[[nodiscard]] std::optional<look> look_at(const watched& w, const sql_target& admin);

/// The rows of writer's table on one server.
[[nodiscard]] std::set<std::int64_t> rows_of(const sql_target& server, const std::string& database);

/// Looks every second until it is stopped. The first look is over when the constructor returns;
/// throws std::runtime_error when there was none within a minute.
class watcher {
 public:
  explicit watcher(watched w);
  ~watcher();
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;
  std::vector<look> stop();

 private:
  watched watched_;
  std::atomic<bool> stops_{false};
  std::vector<look> looks_;
  std::thread thread_;
};

}  // namespace mysql_cluster::testing
