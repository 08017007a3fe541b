#pragma once
// For tests: one Lease server and the processes that stand for it, in virtual time and one thread.
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/metric_registry.hpp"
#include "core/base/random.hpp"
#include "core/election/elector.hpp"
#include "core/election/lease_server.hpp"

namespace oarlock::election::testing {

namespace asio = boost::asio;
using namespace std::chrono_literals;

class virtual_clock final : public clock {
 public:
  steady_time steady{1000s};
  wall_time wall{std::chrono::seconds(1'700'000'000)};
  [[nodiscard]] steady_time now() const override { return steady; }
  [[nodiscard]] wall_time wall_now() const override { return wall; }
};

/// What one process takes for the time: another pace on the monotonic clock, another wall clock.
class local_clock final : public clock {
 public:
  explicit local_clock(const virtual_clock& truth) : truth_(truth), anchor_(truth.steady) {}
  std::int64_t pace_num = 1;  ///< pace_num / pace_den seconds pass here in one true second
  std::int64_t pace_den = 1;
  wall_time::duration wall_offset{0};
  [[nodiscard]] steady_time now() const override {
    return anchor_ + (truth_.steady - anchor_) * pace_num / pace_den;
  }
  [[nodiscard]] wall_time wall_now() const override { return truth_.wall + wall_offset; }
  /// The true time at which `local` has come.
  [[nodiscard]] steady_time true_time(steady_time local) const {
    return anchor_ + ((local - anchor_) * pace_den + duration(pace_num - 1)) / pace_num;
  }

 private:
  const virtual_clock& truth_;
  steady_time anchor_;
};

/// splitmix64: the same seed gives the same run on every machine.
class seeded_random final : public random_source {
 public:
  explicit seeded_random(std::uint64_t seed) : state_(seed) {}
  [[nodiscard]] std::uint64_t next() override {
    auto z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

 private:
  std::uint64_t state_;
};

/// Sleepers of one process; the test wakes them when virtual time has come.
class virtual_timers final : public timers {
 public:
  explicit virtual_timers(const local_clock& c) : clock_(c) {}

  [[nodiscard]] task<bool> sleep_for(duration how_long, std::stop_token stop) override {
    const auto id = next_id_++;
    const auto due = clock_.now() + how_long;
    if (stop.stop_requested()) co_return false;
    const auto where = co_await asio::this_coro::executor;
    const std::stop_callback wake(stop, [this, id] { finish(id, false); });
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<executor>&, void(bool)>(
        [this, id, due, where](auto handler) {
          sleepers_.emplace(id, sleeper{due, where, std::move(handler)});
        },
        asio::use_awaitable);
  }
  /// In true time.
  [[nodiscard]] std::optional<steady_time> next_due() const {
    std::optional<steady_time> due;
    for (const auto& [id, s] : sleepers_) {
      if (!due || s.due < *due) due = s.due;
    }
    if (due) due = clock_.true_time(*due);
    return due;
  }
  /// In the order of their times, as a real loop would.
  void wake_due() {
    std::vector<std::pair<steady_time, std::uint64_t>> due;
    for (const auto& [id, s] : sleepers_) {
      if (s.due <= clock_.now()) due.emplace_back(s.due, id);
    }
    std::sort(due.begin(), due.end());
    for (const auto& [when, id] : due)
      finish(id, true);
  }

 private:
  struct sleeper {
    steady_time due;
    executor where;
    asio::any_completion_handler<void(bool)> handler;
  };
  void finish(std::uint64_t id, bool elapsed) {
    const auto at = sleepers_.find(id);
    if (at == sleepers_.end()) return;
    auto woken = std::move(at->second);
    sleepers_.erase(at);
    asio::post(woken.where,
               [h = std::move(woken.handler), elapsed]() mutable { std::move(h)(elapsed); });
  }

  const local_clock& clock_;
  std::map<std::uint64_t, sleeper> sleepers_;
  std::uint64_t next_id_ = 1;
};

/// What happens to one exchange.
struct fate {
  duration there{0};  ///< until the server acts
  duration back{0};   ///< until the answer is here
  bool reaches_server = true;
  bool answer_lost = false;
  int fail_status = 0;  ///< the server answers this instead of acting
};

class scripted_exchange final : public net::http_exchange {
 public:
  explicit scripted_exchange(lease_server::answer a) : body_(std::move(a.body)) {
    head_.status = a.status;
    head_.headers = {{"Content-Type", "application/json"},
                     {"Content-Length", std::to_string(body_.size())}};
  }
  [[nodiscard]] const net::http_head& head() const override { return head_; }
  [[nodiscard]] task<result<std::optional<std::string>>> read_some(steady_time) override {
    if (read_) co_return std::optional<std::string>();
    read_ = true;
    co_return std::optional<std::string>(body_);
  }

 private:
  net::http_head head_;
  std::string body_;
  bool read_ = false;
};

/// One open watch: what the server has sent of it.
struct watch_stream {
  std::deque<std::string> lines;
  bool over = false;
  std::stop_source arrived;
  void send(std::string line) {
    lines.push_back(std::move(line));
    arrived.request_stop();
  }
  void end() {
    over = true;
    arrived.request_stop();
  }
};

class watch_exchange final : public net::http_exchange {
 public:
  watch_exchange(std::shared_ptr<watch_stream> s, virtual_timers& t, const local_clock& c,
                 std::stop_token stop)
      : stream_(std::move(s)), timers_(t), clock_(c), stop_(std::move(stop)) {
    head_.status = 200;
    head_.headers = {{"Content-Type", "application/json"}};
  }
  ~watch_exchange() override { stream_->over = true; }
  [[nodiscard]] const net::http_head& head() const override { return head_; }
  [[nodiscard]] task<result<std::optional<std::string>>> read_some(steady_time deadline) override {
    while (stream_->lines.empty()) {
      if (stop_.stop_requested()) co_return error{net::net_error::cancelled, "cancelled"};
      if (stream_->over) co_return std::optional<std::string>();
      stream_->arrived = std::stop_source();
      const std::stop_callback link(stop_,
                                    [over = stream_->arrived]() mutable { over.request_stop(); });
      const bool late =
          co_await timers_.sleep_for(deadline - clock_.now(), stream_->arrived.get_token());
      if (late) co_return error{net::net_error::broken_body, "silent"};
    }
    auto line = std::move(stream_->lines.front());
    stream_->lines.pop_front();
    co_return std::optional<std::string>(std::move(line));
  }

 private:
  std::shared_ptr<watch_stream> stream_;
  virtual_timers& timers_;
  const local_clock& clock_;
  std::stop_token stop_;
  net::http_head head_;
};

inline bool is_watch(const net::http_request& r) {
  return r.target.find("watch=") != std::string::npos;
}

class scripted_transport final : public net::transport {
 public:
  scripted_transport(lease_server& server, virtual_timers& t, const local_clock& c)
      : server_(server), timers_(t), clock_(c) {}
  std::vector<std::shared_ptr<watch_stream>> watches;  ///< that are open
  std::vector<std::string> watched;                    ///< targets of all that were asked for
  bool watches_are_silent = false;                     ///< open, and nothing comes any more
  /// The server's state has changed.
  void tell(const std::string& type = "MODIFIED") {
    std::erase_if(watches, [](const auto& one) { return one->over; });
    if (watches_are_silent) return;
    for (auto& one : watches)
      one->send(event(type));
  }

  std::function<fate(const net::http_request&)> decide = [](const auto&) { return fate{}; };

  [[nodiscard]] task<result<std::unique_ptr<net::http_exchange>>> open(
      net::http_request request, net::exchange_options options) override {
    const auto f = decide(request);
    if (!f.reaches_server) {
      co_await timers_.sleep_for(options.deadline - clock_.now(), options.stop);
      co_return lost(options);
    }
    co_await timers_.sleep_for(f.there, options.stop);
    if (options.stop.stop_requested()) co_return lost(options);
    if (is_watch(request)) co_return open_watch(request, f, options.stop);
    auto answer =
        f.fail_status != 0 ? lease_server::answer{f.fail_status, "fault"} : server_.handle(request);
    const auto left = options.deadline - clock_.now();
    co_await timers_.sleep_for(f.answer_lost ? left : f.back, options.stop);
    if (f.answer_lost || options.stop.stop_requested()) co_return lost(options);
    std::unique_ptr<net::http_exchange> made =
        std::make_unique<scripted_exchange>(std::move(answer));
    co_return made;
  }
  [[nodiscard]] const std::string& host() const override { return host_; }

 private:
  std::string event(const std::string& type) const {
    return R"({"type":")" + type + R"(","object":)" + server_.stored.value_or("{}") + "}\n";
  }
  std::unique_ptr<net::http_exchange> open_watch(const net::http_request& request, const fate& f,
                                                 std::stop_token stop) {
    watched.push_back(request.target);
    if (f.fail_status != 0) {
      return std::make_unique<scripted_exchange>(lease_server::answer{f.fail_status, "fault"});
    }
    auto made = std::make_shared<watch_stream>();
    if (server_.stored) made->send(event("ADDED"));
    watches.push_back(made);
    return std::make_unique<watch_exchange>(made, timers_, clock_, std::move(stop));
  }
  static error lost(const net::exchange_options& options) {
    if (options.stop.stop_requested()) return {net::net_error::cancelled, "cancelled"};
    return {net::net_error::no_answer, "no answer within the deadline"};
  }

  lease_server& server_;
  virtual_timers& timers_;
  const local_clock& clock_;
  std::string host_ = "fake";
};

/// One process that stands for the lease.
struct candidate {
  asio::io_context loop{1};
  local_clock time;
  virtual_timers sleeping;
  scripted_transport wire;
  std::unique_ptr<metric_registry> metrics = make_prometheus_registry();
  seeded_random random;
  kube::client client;
  write_window window;
  int started = 0;
  int stopped = 0;
  bool window_open_at_stop = false;
  std::unique_ptr<elector> standing;
  std::stop_source stop;
  bool suspended = false;
  bool ended = false;

  candidate(const std::string& identity, lease_server& server, const virtual_clock& c,
            std::uint64_t seed)
      : time(c),
        sleeping(time),
        wire(server, sleeping, time),
        random(seed),
        client({loop.get_executor(), &wire, nullptr, &time, &sleeping, metrics.get(), nullptr}),
        window(time) {
    elector_config config;
    config.lease_name = "lease";
    config.lease_namespace = "ns";
    config.identity = identity;
    standing = std::make_unique<elector>(
        config, elector::parts{&client, &time, &sleeping, &random, metrics.get(), &window,
                               [this] { ++started; },
                               [this] {
                                 ++stopped;
                                 window_open_at_stop = static_cast<bool>(window.check());
                               }});
  }
  ~candidate() {
    // Frames that wait hold references into this object: they go first.
    stop.request_stop();
    loop.restart();
    loop.poll();
  }
  void start() {
    spawn(loop.get_executor(), [](candidate* self) -> task<> {
      co_await self->standing->run(self->stop.get_token());
      self->ended = true;
    }(this));
  }
  void release() {
    spawn(loop.get_executor(),
          [](candidate* self) -> task<> { co_await self->standing->release(); }(this));
  }
  [[nodiscard]] bool open() const { return static_cast<bool>(window.check()); }
  /// Runs what is ready. True: something ran.
  bool step() {
    if (suspended) return false;
    sleeping.wake_due();
    loop.restart();
    return loop.poll() > 0;
  }
};

class world {
 public:
  virtual_clock time;
  lease_server server;
  std::vector<std::unique_ptr<candidate>> all;

  world() {
    server.on_change = [this] {
      for (auto& one : all)
        one->wire.tell();
    };
  }

  candidate& add(const std::string& identity, std::uint64_t seed = 1) {
    all.push_back(std::make_unique<candidate>(identity, server, time, seed));
    return *all.back();
  }
  void settle() {
    for (bool ran = true; ran;) {
      ran = false;
      for (auto& one : all)
        ran = one->step() || ran;
    }
  }
  /// Lets `how_long` pass, event by event; `check` runs after each.
  void advance(duration how_long, const std::function<void()>& check = [] {}) {
    const auto end = time.steady + how_long;
    for (;;) {
      settle();
      check();
      auto next = end;
      for (auto& one : all) {
        const auto due = one->suspended ? std::nullopt : one->sleeping.next_due();
        if (due && *due < next) next = *due;
      }
      if (next > time.steady) {
        time.wall += std::chrono::duration_cast<wall_time::duration>(next - time.steady);
        time.steady = next;
      } else if (next == end) {
        return;
      }
    }
  }
};

}  // namespace oarlock::election::testing
