#pragma once
// Clients that write rows and note what they were told. Several connections; each connects anew,
// through wherever the application would, after whatever error.
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "plugins/mysql-cluster/src/sql.hpp"
#include "tests/mysql/history.hpp"

namespace mysql_cluster::testing {

/// Where an application would connect to now; nothing when there is no such place.
using find_server = std::function<std::optional<sql_target>()>;

/// Thread: any.
class writer {
 public:
  /// Makes the table `database`.writes as soon as it can, and begins to write.
  writer(std::string database, find_server find, int connections);
  ~writer();
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  /// Ends the connections and returns all that was written. Once.
  std::vector<write> stop();
  [[nodiscard]] std::int64_t acknowledged() const { return acknowledged_; }
  /// The longest time between two acknowledgements of any connection, from `since_ns` on.
  [[nodiscard]] std::int64_t longest_gap_ns(std::int64_t since_ns);

  /// Of the clock of all times in a history.
  [[nodiscard]] static std::int64_t now_ns();

 private:
  void work(int connection);
  void write_until_error(int connection, sql_session& server, std::int64_t& next);
  void note(write w);

  const std::string database_;
  const find_server find_;
  std::atomic<bool> stops_{false};
  std::atomic<std::int64_t> acknowledged_{0};
  std::mutex mutex_;
  std::vector<write> writes_;
  std::vector<std::thread> threads_;
};

}  // namespace mysql_cluster::testing
