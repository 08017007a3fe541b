#include "core/net/connection_pool.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <optional>

#include "core/base/mutant.hpp"

namespace oarlock::net {

namespace asio = boost::asio;

struct connection_pool::waiter {
  waiter(const executor& loop, std::uint64_t arrival) : number(arrival), wake(loop) {}
  const std::uint64_t number;
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
    flow_ = std::move(other.flow_);
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
    pool->give_back(flow_, std::move(c), birth_);
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
  if (pool) pool->end_use(flow_);
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

bool connection_pool::may_start(const share& one) const {
  if (in_use_ >= parts_.connections_max) return false;
  const auto free = parts_.connections_max - in_use_;
  return one.in_use < free || OARLOCK_MUTANT("connections_unshared");
}

// Precondition: may_start(). The newest of the idle ones: the least likely to be closed.
lease connection_pool::take(const std::string& flow) {
  ++in_use_;
  ++flows_[flow].in_use;
  while (!idle_.empty()) {
    auto candidate = std::move(idle_.back());
    idle_.pop_back();
    if (may_serve(*candidate.what, candidate.birth)) {
      lease got(shared_from_this(), flow, std::move(candidate.what), candidate.birth);
      got.reused_ = true;
      return got;
    }
    candidate.what->close();
  }
  return {shared_from_this(), flow, parts_.make(), {era_, parts_.clock_source->now()}};
}

task<result<lease>> connection_pool::acquire(std::string flow, steady_time deadline,
                                             std::stop_token stop) {
  if (stop.stop_requested()) co_return error{net_error::cancelled, "cancelled by the caller"};
  const auto self = shared_from_this();
  if (auto& mine = flows_[flow]; mine.waiters.empty() && may_start(mine)) co_return take(flow);
  const auto w = std::make_shared<waiter>(parts_.loop, asked_++);
  flows_[flow].waiters.push_back(w);
  w->wake.expires_after(std::max(duration::zero(), deadline - parts_.clock_source->now()));
  const std::stop_callback on_stop(stop, [loop = parts_.loop, weak = std::weak_ptr(w)] {
    asio::post(loop, [weak] {
      if (const auto waiting = weak.lock()) waiting->wake.cancel();
    });
  });
  co_await w->wake.async_wait(asio::as_tuple(asio::use_awaitable_t<executor>{}));
  if (w->granted && !stop.stop_requested()) co_return std::move(*w->granted);
  if (!w->granted) {
    auto& mine = flows_[flow];
    std::erase(mine.waiters, w);
    if (mine.waiters.empty() && mine.in_use == 0) flows_.erase(flow);
  }
  if (stop.stop_requested()) co_return error{net_error::cancelled, "cancelled by the caller"};
  co_return error{net_error::not_sent,
                  "expected one of " + std::to_string(parts_.connections_max) +
                      " connections to come free before the deadline, found the share of " +
                      (flow.empty() ? std::string("this process") : flow) + " in use"};
}

void connection_pool::give_back(const std::string& flow, std::shared_ptr<connection> c,
                                lease::birth birth) {
  if (may_serve(*c, birth)) {
    idle_.push_back({std::move(c), parts_.clock_source->now(), birth});
  } else {
    c->close();
  }
  end_use(flow);
  watch_idle();
}

void connection_pool::end_use(const std::string& flow) {
  --in_use_;
  const auto found = flows_.find(flow);
  if (--found->second.in_use == 0 && found->second.waiters.empty()) flows_.erase(found);
  serve_waiters();
}

void connection_pool::serve_waiters() {
  for (;;) {
    auto next = flows_.end();
    for (auto one = flows_.begin(); one != flows_.end(); ++one) {
      const auto& [name, its] = *one;
      if (its.waiters.empty() || !may_start(its)) continue;
      const auto turn = [](const share& s) {
        return std::pair(s.in_use, s.waiters.front()->number);
      };
      if (next == flows_.end() || turn(its) < turn(next->second)) next = one;
    }
    if (next == flows_.end()) return;
    const auto w = next->second.waiters.front();
    next->second.waiters.pop_front();
    w->granted.emplace(take(next->first));
    w->wake.cancel();
  }
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
    }
    self->watch_idle();
  });
}

}  // namespace oarlock::net
