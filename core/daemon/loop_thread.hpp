#pragma once
// An event loop and its thread: the only threads of the daemon besides main and the lanes.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <string>
#include <thread>

#include "core/base/task.hpp"

namespace oarlock::daemon {

/// Thread: main, unless it says otherwise.
class loop_thread {
 public:
  /// `name` is seen in ps and gdb: at most 15 characters.
  explicit loop_thread(std::string name) : name_(std::move(name)) {}
  ~loop_thread() { stop(); }
  loop_thread(const loop_thread&) = delete;
  loop_thread& operator=(const loop_thread&) = delete;

  /// Thread: any.
  [[nodiscard]] executor get_executor() { return loop_.get_executor(); }
  void start();
  /// Runs `f` on the loop and waits for it.
  template <class F>
  auto call(F f) {
    // As a completion token a packaged_task makes post() return its future.
    std::packaged_task<std::invoke_result_t<F>()> job(std::move(f));
    return boost::asio::post(loop_, std::move(job)).get();
  }
  /// Starts `work` on the loop; the future becomes ready when it ends.
  template <class T>
  [[nodiscard]] std::future<T> begin(task<T> work) {
    return boost::asio::co_spawn(get_executor(), std::move(work), boost::asio::use_future);
  }
  /// Ends the loop after the handler that runs, and the thread. What still waits (idle connections,
  /// timers) is destroyed with this object, without running again. Idempotent.
  void stop();

 private:
  std::string name_;
  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ =
      boost::asio::make_work_guard(loop_);
  std::thread thread_;
};

}  // namespace oarlock::daemon
