#pragma once
// Test support: a transport that plays a script and writes down what it was asked, with a clock
// that only moves when somebody sleeps.
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/timers.hpp"
#include "core/net/transport.hpp"

namespace oarlock::kube::testing {

class manual_clock final : public clock {
 public:
  [[nodiscard]] steady_time now() const override { return steady_time(elapsed); }
  [[nodiscard]] wall_time wall_now() const override { return {}; }
  duration elapsed = std::chrono::hours(1);
};

/// Sleeps by moving the clock. `slept` lists how long; `on_sleep` runs before each.
class manual_timers final : public timers {
 public:
  explicit manual_timers(manual_clock& c) : clock_(c) {}
  [[nodiscard]] task<bool> sleep_for(duration how_long, std::stop_token stop) override {
    if (on_sleep) on_sleep();
    if (stop.stop_requested()) co_return false;
    slept.push_back(how_long);
    clock_.elapsed += how_long;
    co_return true;
  }
  std::vector<duration> slept;
  std::function<void()> on_sleep;

 private:
  manual_clock& clock_;
};

/// One scripted answer: an error instead of a head, or a head and its body in pieces.
struct scripted {
  std::optional<error> fails = {};
  net::http_head head = {};
  std::vector<std::string> pieces = {};
  std::optional<error> body_fails = {};  ///< after the pieces, instead of the end
  std::function<void()> before = {};     ///< runs when the request comes
  std::function<void()> connects = {};   ///< what happens until it may be sent, which is then asked
};

[[nodiscard]] inline scripted answers(int status, std::string body,
                                      std::vector<net::header> headers = {}) {
  return {{}, {status, std::move(headers)}, {std::move(body)}};
}
[[nodiscard]] inline scripted answers_json(int status, std::string body) {
  return answers(status, std::move(body), {{"Content-Type", "application/json"}});
}
[[nodiscard]] inline scripted fails_with(net::net_error code) {
  return {error{code, "scripted failure"}};
}

class fake_exchange final : public net::http_exchange {
 public:
  explicit fake_exchange(scripted s) : script_(std::move(s)) {}
  [[nodiscard]] const net::http_head& head() const override { return script_.head; }
  [[nodiscard]] task<result<std::optional<std::string>>> read_some(steady_time) override {
    if (next_ < script_.pieces.size()) {
      co_return std::optional<std::string>(script_.pieces[next_++]);
    }
    if (script_.body_fails) co_return *script_.body_fails;
    co_return std::optional<std::string>();
  }

 private:
  scripted script_;
  std::size_t next_ = 0;
};

/// Plays `script` in order; the last entry goes on for ever.
class fake_transport final : public net::transport {
 public:
  [[nodiscard]] task<result<std::unique_ptr<net::http_exchange>>> open(
      net::http_request request, net::exchange_options options) override {
    requests.push_back(std::move(request));
    all_options.push_back(std::move(options));
    const auto at = std::min(requests.size(), script.size()) - 1;
    if (script[at].before) script[at].before();
    if (script[at].connects) {
      script[at].connects();
      const auto& may_send = all_options.back().may_send;
      if (may_send && !may_send()) co_return error{net::net_error::not_sent, "held back"};
    }
    if (script[at].fails) co_return *script[at].fails;
    co_return std::make_unique<fake_exchange>(script[at]);
  }
  [[nodiscard]] const std::string& host() const override { return host_; }

  std::vector<scripted> script;
  std::vector<net::http_request> requests;
  std::vector<net::exchange_options> all_options;

 private:
  std::string host_ = "api.test:6443";
};

}  // namespace oarlock::kube::testing
