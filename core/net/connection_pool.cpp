#include "core/net/connection_pool.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <optional>

#include "core/base/mutant.hpp"

namespace oarlock::net {

namespace asio = boost::asio;

struct connection_pool::waiter {
  explicit waiter(const executor& loop) : wake(loop) {}
  asio::steady_timer wake;
  std::optional<lease> granted;
};

struct connection_pool::idle_timer {
  explicit idle_timer(const executor& loop) : timer(loop) {}
  asio::steady_timer timer;
  bool armed = false;
};

lease& lease::operator=(lease&& other) noexcept {
  if (this != &other) {
    drop();
    pool_ = std::move(other.pool_);
    connection_ = std::move(other.connection_);
    birth_ = other.birth_;
    reused_ = other.reused_;
  }
  return *this;
}

void lease::keep() {
  const auto pool = std::exchange(pool_, nullptr);
  auto c = std::exchange(connection_, nullptr);
  if (!c) return;
  c->unbind();
  if (pool) {
    pool->give_back(std::move(c), birth_);
  } else {
    c->close();
  }
}

void lease::drop() {
  const auto pool = std::exchange(pool_, nullptr);
  const auto c = std::exchange(connection_, nullptr);
  if (c) {
    c->unbind();
    c->close();
  }
  if (pool) pool->free_place();
}

void lease::retire_era() {
  if (pool_ && pool_->era_ == birth_.era) ++pool_->era_;
}

connection_pool::connection_pool(parts p)
    : parts_(std::move(p)), idle_timer_(std::make_unique<idle_timer>(parts_.loop)) {}

connection_pool::~connection_pool() {
  for (auto& c : idle_)
    c.what->close();
}

bool connection_pool::may_serve(connection& c, lease::birth birth) const {
  const bool old = parts_.clock_source->now() - birth.at >= parts_.age_max &&
                   !OARLOCK_MUTANT("connections_never_age");
  return birth.era == era_ && !old && c.idle_and_alive();
}

bool connection_pool::take_idle(lease& to) {
  while (!idle_.empty()) {
    auto candidate = std::move(idle_.back());  // the newest: the least likely to be closed
    idle_.pop_back();
    if (may_serve(*candidate.what, candidate.birth)) {
      to = lease(shared_from_this(), std::move(candidate.what), candidate.birth);
      to.reused_ = true;
      return true;
    }
    candidate.what->close();
    --places_taken_;
  }
  return false;
}

lease connection_pool::new_lease() {
  return {shared_from_this(), parts_.make(), {era_, parts_.clock_source->now()}};
}

task<result<lease>> connection_pool::acquire(steady_time deadline, std::stop_token stop) {
  if (stop.stop_requested()) co_return error{net_error::cancelled, "cancelled by the caller"};
  lease got;
  if (take_idle(got)) co_return std::move(got);
  if (places_taken_ < parts_.connections_max) {
    ++places_taken_;
    co_return new_lease();
  }
  const auto self = shared_from_this();
  const auto w = std::make_shared<waiter>(parts_.loop);
  waiters_.push_back(w);
  w->wake.expires_after(std::max(duration::zero(), deadline - parts_.clock_source->now()));
  const std::stop_callback on_stop(stop, [loop = parts_.loop, weak = std::weak_ptr(w)] {
    asio::post(loop, [weak] {
      if (const auto waiting = weak.lock()) waiting->wake.cancel();
    });
  });
  co_await w->wake.async_wait(asio::as_tuple(asio::use_awaitable_t<executor>{}));
  std::erase(waiters_, w);
  if (stop.stop_requested()) co_return error{net_error::cancelled, "cancelled by the caller"};
  if (w->granted) co_return std::move(*w->granted);
  co_return error{net_error::not_sent,
                  "expected one of " + std::to_string(parts_.connections_max) +
                      " connections to come free before the deadline, found all of them in use"};
}

void connection_pool::give_back(std::shared_ptr<connection> c, lease::birth birth) {
  if (!may_serve(*c, birth)) {
    c->close();
    free_place();
    return;
  }
  if (!waiters_.empty()) {
    const auto w = waiters_.front();
    waiters_.pop_front();
    w->granted.emplace(shared_from_this(), std::move(c), birth);
    w->granted->reused_ = true;
    w->wake.cancel();
    return;
  }
  idle_.push_back({std::move(c), parts_.clock_source->now(), birth});
  watch_idle();
}

void connection_pool::free_place() {
  if (waiters_.empty()) {
    --places_taken_;
    return;
  }
  const auto w = waiters_.front();
  waiters_.pop_front();
  w->granted.emplace(new_lease());
  w->wake.cancel();
}

// One timer for the oldest idle connection.
void connection_pool::watch_idle() {
  if (idle_.empty() || idle_timer_->armed) return;
  const auto left = idle_.front().since + parts_.idle_max - parts_.clock_source->now();
  idle_timer_->armed = true;
  idle_timer_->timer.expires_after(std::max(duration::zero(), left));
  idle_timer_->timer.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (ec || !self) return;
    self->idle_timer_->armed = false;
    const auto now = self->parts_.clock_source->now();
    while (!self->idle_.empty() && self->idle_.front().since + self->parts_.idle_max <= now) {
      self->idle_.front().what->close();
      self->idle_.pop_front();
      --self->places_taken_;
    }
    self->watch_idle();
  });
}

}  // namespace oarlock::net
