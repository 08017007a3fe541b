#pragma once
// A bounded set of connections to one server, shared fairly, and the queues of those who wait.
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/base/task.hpp"
#include "core/net/connection.hpp"

namespace oarlock::net {

class connection_pool;

/// The right to use one connection, and the connection. Destroying it closes the connection and
/// lets the next waiter in. Thread: the loop.
class lease {
 public:
  lease() = default;
  /// A connection outside any pool.
  explicit lease(std::shared_ptr<connection> c) : connection_(std::move(c)) {}
  /// What a connection was made with: `era` is the pool's at that time.
  struct birth {
    std::uint64_t era = 0;
    steady_time at{};
  };
  lease(std::shared_ptr<connection_pool> pool, std::string flow, std::shared_ptr<connection> c,
        birth b)
      : pool_(std::move(pool)), flow_(std::move(flow)), connection_(std::move(c)), birth_(b) {}
  lease(lease&& other) noexcept = default;
  lease& operator=(lease&& other) noexcept;
  ~lease() { drop(); }

  [[nodiscard]] const std::shared_ptr<connection>& get() const { return connection_; }
  /// It was idle in the pool before: the server may have closed it meanwhile.
  [[nodiscard]] bool reused() const { return reused_; }
  /// Gives the connection back for the next request.
  void keep();
  void drop();
  /// The server no longer knows us: certificates may have changed, so that no connection made up
  /// to now is used again.
  void retire_era();

 private:
  friend class connection_pool;
  std::shared_ptr<connection_pool> pool_;
  std::string flow_;
  std::shared_ptr<connection> connection_;
  birth birth_;
  bool reused_ = false;
};

/// A flow is one of those who share the pool. It may use at most as many connections as it leaves
/// free to all: one flow alone half of them, two busy ones a third each. So a newcomer finds a free
/// one also while others hold theirs for long. Thread: the loop.
class connection_pool : public std::enable_shared_from_this<connection_pool> {
 public:
  struct parts {
    executor loop;
    const clock* clock_source;
    std::size_t connections_max;
    duration idle_max;
    duration age_max;
    std::function<std::shared_ptr<connection>()> make;
  };
  explicit connection_pool(parts p);
  ~connection_pool();
  connection_pool(const connection_pool&) = delete;
  connection_pool& operator=(const connection_pool&) = delete;

  /// An idle connection, or a new one that is not opened yet, or the first to come free: to the
  /// flow that uses the fewest, in a flow in the order of asking. Fails with net_error::not_sent at
  /// `deadline`, or cancelled.
  task<result<lease>> acquire(std::string flow, steady_time deadline, std::stop_token stop);

 private:
  friend class lease;
  struct waiter;
  struct share {
    std::size_t in_use = 0;
    std::deque<std::shared_ptr<waiter>> waiters;
  };
  struct idle_connection {
    std::shared_ptr<connection> what;
    steady_time since;
    lease::birth birth;
  };

  void give_back(const std::string& flow, std::shared_ptr<connection> c, lease::birth birth);
  [[nodiscard]] bool may_serve(connection& c, lease::birth birth) const;
  [[nodiscard]] bool may_start(const share& one) const;
  void end_use(const std::string& flow);
  void serve_waiters();
  lease take(const std::string& flow);
  void watch_idle();

  parts parts_;
  std::size_t in_use_ = 0;
  std::uint64_t era_ = 0;
  std::deque<idle_connection> idle_;    // oldest first
  std::map<std::string, share> flows_;  // those that use one or wait
  std::uint64_t asked_ = 0;
  struct idle_timer;
  std::unique_ptr<idle_timer> idle_timer_;
};

}  // namespace oarlock::net
