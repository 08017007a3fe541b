#pragma once
// A plugin's metrics in its child: added up here, sent to the daemon now and then.
#include <condition_variable>
#include <map>
#include <string>
#include <vector>

#include "core/plugin/metric_table.hpp"

namespace oarlock::plugin::host {

/// Lives as long as the process, as does the thread that it starts for its first metric.
class metric_buffer final : public metric_table {
 public:
  using metric_table::metric_table;

  /// Sends what has changed since the last time. Thread: any.
  void flush();

 private:
  struct pending {
    bool is_listed = false;  // in changed_
    double value = 0;        // of a gauge; what a counter grew by; the sum of a histogram
    std::vector<double> counts;
  };

  void declared(const metric_spec& spec) override;
  [[nodiscard]] bool made(std::size_t series, std::size_t metric, const metric_spec& spec,
                          const std::vector<std::string>& values) override;
  void added(std::size_t series, double amount) override;
  void was_set(std::size_t series, double value) override;
  void observed(std::size_t series, double value) override;
  void overflowed(std::size_t metric, const metric_spec& spec, std::uint64_t count) override;

  [[noreturn]] void send_now_and_then();
  void list(std::size_t series);
  void put_changes();
  void put(const std::string& entry);

  std::mutex sending_;  // before mutex_: packets keep their order
  std::condition_variable changed_there_;
  std::condition_variable pause_;  // nobody ends it
  bool has_thread_ = false;
  // The packets that wait, in order, the last one open. New things come before what changes them.
  std::vector<std::string> packets_;
  std::vector<pending> series_;
  std::vector<std::size_t> changed_;
  std::map<std::size_t, std::uint64_t> over_;  // by metric
};

}  // namespace oarlock::plugin::host
