#include "core/daemon/key_feed.hpp"

#include <boost/asio/post.hpp>

namespace oarlock::daemon {

std::shared_ptr<key_feed> key_feed::open(std::shared_ptr<plugin::event_inbox> inbox, targets to,
                                         executor loop, timers& timer_source) {
  const std::shared_ptr<key_feed> made(
      new key_feed(std::move(inbox), std::move(to), std::move(loop), timer_source));
  // Comes on threads of the plugin, and perhaps once more after close().
  made->inbox_->on_ready([weak = made->weak_from_this(), loop = made->loop_] {
    boost::asio::post(loop, [weak] {
      if (const auto self = weak.lock()) self->pump();
    });
  });
  return made;
}

void key_feed::close() {
  inbox_->on_ready({});
  closed_.request_stop();
  to_.clear();
}

void key_feed::pump() {
  if (closed_.stop_requested()) return;
  const auto taken = inbox_->take(
      [this](const plugin::event_inbox::entry& e) { return to_.at(e.controller)->knows(e.key); });
  for (const auto& [controller, key] : taken.keys)
    to_.at(controller)->enqueue(key);
  for (const auto& controller : taken.whole)
    to_.at(controller)->enqueue_all();
  if (taken.next) spawn(loop_, sleep_then_pump(shared_from_this(), *taken.next));
}

task<> key_feed::sleep_then_pump(std::shared_ptr<key_feed> self, duration wait) {
  const bool elapsed = co_await self->timers_.sleep_for(wait, self->closed_.get_token());
  if (elapsed) self->pump();
}

}  // namespace oarlock::daemon
