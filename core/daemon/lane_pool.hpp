#pragma once
// The worker threads of one plugin.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <thread>
#include <vector>

#include "core/base/task.hpp"

namespace oarlock::daemon {

/// Thread: main, unless it says otherwise. Not a boost::asio::thread_pool: one whose second thread
/// cannot be had waits for the first one for ever.
class lane_pool {
 public:
  /// Throws std::system_error when the system gives too few threads; then none runs.
  explicit lane_pool(std::size_t threads);
  ~lane_pool() { join(); }
  lane_pool(const lane_pool&) = delete;
  lane_pool& operator=(const lane_pool&) = delete;

  /// Thread: any.
  [[nodiscard]] executor get_executor() { return loop_.get_executor(); }
  /// Ends the threads when all their work has ended. Idempotent.
  void join();

 private:
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ =
      boost::asio::make_work_guard(loop_);
  std::vector<std::thread> threads_;
};

}  // namespace oarlock::daemon
