#pragma once
// Counts the coroutines that are still running, so that a shutdown can wait for them. Loop-bound.
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/task.hpp"

namespace oarlock::cache {

class gate {
 public:
  void enter() { ++inside_; }
  void leave() {
    if (--inside_ != 0) return;
    for (auto& waiter : std::exchange(waiters_, {})) {
      boost::asio::post(waiter.where, std::move(waiter.resume));
    }
  }
  /// Resumes when nobody is inside.
  task<> wait_empty() {
    auto where = co_await boost::asio::this_coro::executor;
    while (inside_ != 0) {
      co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<executor>&, void()>(
          [this, where](auto resume) { waiters_.push_back({where, std::move(resume)}); },
          boost::asio::use_awaitable);
    }
  }

 private:
  struct waiter {
    executor where;
    boost::asio::any_completion_handler<void()> resume;
  };
  std::size_t inside_ = 0;
  std::vector<waiter> waiters_;
};

}  // namespace oarlock::cache
