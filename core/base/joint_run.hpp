#pragma once
// One run of a piece of work for all who want it: whoever asks while it runs waits for that run.
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/task.hpp"

namespace oarlock {

/// Loop-bound. The work must end by itself: nobody's stop token ends it for the others.
class joint_run {
 public:
  /// Returns when a run that was under way, or that this call started, has ended. `work` keeps
  /// alive what it uses.
  static task<> join(std::shared_ptr<joint_run> self, executor loop, std::function<task<>()> work) {
    if (!self->running_) {
      self->running_ = true;
      spawn(loop, run(self, loop, std::move(work)));
    }
    // It may have ended at once.
    if (!self->running_) co_return;
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<executor>&, void()>(
        [self](auto resume) { self->waiting_.emplace_back(std::move(resume)); },
        boost::asio::use_awaitable);
  }

 private:
  static task<> run(std::shared_ptr<joint_run> self, executor loop, std::function<task<>()> work) {
    co_await work();
    self->running_ = false;
    for (auto& resume : std::exchange(self->waiting_, {}))
      boost::asio::post(loop, std::move(resume));
  }

  bool running_ = false;
  std::vector<boost::asio::any_completion_handler<void()>> waiting_;
};

}  // namespace oarlock
