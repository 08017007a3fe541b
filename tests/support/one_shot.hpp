#pragma once
// An event that happens once and that one coroutine waits for. Thread: any.
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <mutex>
#include <utility>

#include "core/base/task.hpp"

namespace oarlock::test {

class one_shot {
 public:
  /// It has happened. The waiter resumes on its own executor; further calls do nothing.
  void set() {
    const std::lock_guard lock(mutex_);
    if (set_) return;
    set_ = true;
    if (resume_) boost::asio::post(where_, std::move(resume_));
  }

  /// Held by `self` while waiting.
  static task<> wait(std::shared_ptr<one_shot> self) {
    auto where = co_await boost::asio::this_coro::executor;
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<executor>&, void()>(
        [self, where](auto resume) { self->arm(where, std::move(resume)); },
        boost::asio::use_awaitable);
  }

 private:
  using handler = boost::asio::any_completion_handler<void()>;
  void arm(executor where, handler resume) {
    const std::lock_guard lock(mutex_);
    where_ = std::move(where);
    resume_ = std::move(resume);
    if (set_) boost::asio::post(where_, std::move(resume_));
  }

  std::mutex mutex_;
  bool set_ = false;
  executor where_;
  handler resume_;
};

}  // namespace oarlock::test
