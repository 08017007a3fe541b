#pragma once
// A MySQLCluster of three members under load, and all that is seen of it.
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/mysql/watch.hpp"
#include "tests/mysql/writer.hpp"

namespace mysql_cluster::testing {

/// Its waits fail the running test, with what the cluster says of itself, and go on no longer than
/// their deadlines. Thread: that of the test.
class cluster_under_load {
 public:
  /// `find` is where an application connects to, an address; `logs` is what helps to see why.
  cluster_under_load(const oarlock::testing::kubectl_user& kube, std::string ns,
                     std::function<std::optional<std::string>()> find,
                     std::function<std::string()> logs);

  /// Makes the cluster "db", waits until it is Ready, and begins to write.
  void start();
  /// Clients connect with what the application's Secret has now, as where it is mounted.
  void read_password();
  /// Ends the load and asks all servers, of which there shall be so many; returns what must not be.
  std::vector<std::string> end(int members = 3);

  [[nodiscard]] std::string primary() const;
  [[nodiscard]] std::string condition(const std::string& type, const std::string& field) const;
  void wait_for_condition(const std::string& type, const std::string& reason);
  /// Another primary than this, which takes writes.
  void wait_for_other_than(const std::string& old);
  void wait_for_writes();
  /// The primary and two replicas, each of which serves.
  void wait_until_whole();
  [[nodiscard]] std::int64_t longest_gap_ms(std::int64_t since_ns) const;
  /// A member that is not the primary.
  [[nodiscard]] std::string replica() const;

 private:
  [[nodiscard]] std::string story() const;
  [[nodiscard]] std::string database() const;

  watched seen_;
  std::function<std::optional<std::string>()> find_;
  std::function<std::string()> logs_;
  std::mutex mutex_;  // of the following; the threads of the writer read it
  sql_target application_;
  std::unique_ptr<watcher> watcher_;
  std::unique_ptr<writer> writer_;
};

}  // namespace mysql_cluster::testing
