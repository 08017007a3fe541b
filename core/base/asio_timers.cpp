#include "core/base/asio_timers.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

namespace oarlock {

namespace asio = boost::asio;

task<bool> asio_timers::sleep_for(duration how_long, std::stop_token stop) {
  if (stop.stop_requested()) co_return false;
  // Shared: the stop callback may run on another thread and outlive this frame by one post.
  auto ex = co_await asio::this_coro::executor;
  auto timer = std::make_shared<asio::steady_timer>(ex);
  timer->expires_after(how_long);
  std::stop_callback cancel(stop, [timer, ex] {
    asio::post(ex, [timer] { timer->expires_at(asio::steady_timer::time_point::min()); });
  });
  co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
  co_return !stop.stop_requested();
}

}  // namespace oarlock
