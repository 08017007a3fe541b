#pragma once
// A transport whose server is the test: it sees each request and answers it, now or later, chunk by
// chunk, or breaks it off. Deadlines count on the fake clock. Thread: the test's.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/net/transport.hpp"
#include "tests/support/fake_clock.hpp"

namespace oarlock::test {

/// One request and the answer that the test gives to it.
class scripted_call {
 public:
  scripted_call(net::http_request request, net::exchange_options options)
      : request_(std::move(request)), options_(std::move(options)) {}

  [[nodiscard]] const net::http_request& request() const { return request_; }
  [[nodiscard]] const net::exchange_options& options() const { return options_; }
  [[nodiscard]] std::string path() const {
    return request_.target.substr(0, request_.target.find('?'));
  }
  /// A parameter of the query, percent-decoded; empty when absent.
  [[nodiscard]] std::string query(std::string_view name) const {
    const std::size_t start = request_.target.find('?');
    std::string_view rest = request_.target;
    rest = start == std::string::npos ? std::string_view() : rest.substr(start + 1);
    while (!rest.empty()) {
      const std::string_view pair = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
      if (pair.substr(0, pair.find('=')) != name) continue;
      return decode(pair.substr(std::min(pair.find('='), pair.size() - 1) + 1));
    }
    return {};
  }

  /// The head of the answer.
  void answer(int status, std::vector<net::header> headers = {}) {
    head_ = {status, std::move(headers)};
    answered_ = true;
    wake();
  }
  /// A whole answer.
  void reply(int status, std::string body, std::vector<net::header> headers = {}) {
    answer(status, std::move(headers));
    push(std::move(body));
    finish();
  }
  void refuse(net::net_error code, std::string message = "refused by the test") {
    refused_ = error{code, std::move(message)};
    wake();
  }
  void push(std::string chunk) {
    chunks_.push_back(std::move(chunk));
    wake();
  }
  /// A clean end.
  void finish() {
    finished_ = true;
    wake();
  }
  void break_off() {
    broken_ = true;
    wake();
  }

  [[nodiscard]] bool answered() const { return answered_ || refused_.has_value(); }
  /// The client still reads: neither ended nor dropped.
  [[nodiscard]] bool open() const { return !closed_; }

 private:
  friend class scripted_transport;
  friend class scripted_exchange;

  static std::string decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      unsigned value = 0;
      if (text[i] == '%' && i + 2 < text.size() &&
          std::from_chars(&text[i + 1], &text[i + 1] + 2, value, 16).ec == std::errc()) {
        out += static_cast<char>(value);
        i += 2;
      } else {
        out += text[i] == '+' ? ' ' : text[i];
      }
    }
    return out;
  }
  void wake() {
    if (waiting_) waiting_->set();
  }

  const net::http_request request_;
  const net::exchange_options options_;
  net::http_head head_;
  bool answered_ = false;
  std::optional<error> refused_;
  std::deque<std::string> chunks_;
  bool finished_ = false;
  bool broken_ = false;
  bool closed_ = false;
  std::shared_ptr<one_shot> waiting_;
};

using scripted_call_ptr = std::shared_ptr<scripted_call>;

class scripted_transport final : public net::transport {
 public:
  explicit scripted_transport(test_loop& loop) : loop_(loop) {}

  /// Called with each request as it comes; without it the test answers calls() by hand.
  std::function<void(const scripted_call_ptr&)> on_request;

  [[nodiscard]] const std::vector<scripted_call_ptr>& calls() const { return calls_; }
  [[nodiscard]] const std::string& host() const override { return host_; }
  [[nodiscard]] task<result<std::unique_ptr<net::http_exchange>>> open(
      net::http_request request, net::exchange_options options) override;

 private:
  friend class scripted_exchange;
  // Waits for the test, the deadline or the stop token, whichever comes first.
  static task<> wait(test_loop* loop, scripted_call_ptr call, steady_time deadline) {
    const auto event = std::make_shared<one_shot>();
    call->waiting_ = event;
    const auto timer = loop->timers.call_at(deadline, [event] { event->set(); });
    const std::stop_callback cancelled(call->options_.stop, [event] { event->set(); });
    co_await one_shot::wait(event);
    loop->timers.cancel(timer);
  }

  test_loop& loop_;
  std::string host_ = "scripted:1";
  std::vector<scripted_call_ptr> calls_;
};

class scripted_exchange final : public net::http_exchange {
 public:
  scripted_exchange(test_loop* loop, scripted_call_ptr call)
      : loop_(loop), call_(std::move(call)) {}
  ~scripted_exchange() override { call_->closed_ = true; }
  scripted_exchange(const scripted_exchange&) = delete;
  scripted_exchange& operator=(const scripted_exchange&) = delete;

  [[nodiscard]] const net::http_head& head() const override { return call_->head_; }
  [[nodiscard]] task<result<std::optional<std::string>>> read_some(steady_time deadline) override {
    return read(loop_, call_, deadline);
  }

 private:
  static task<result<std::optional<std::string>>> read(test_loop* loop, scripted_call_ptr call,
                                                       steady_time deadline) {
    while (true) {
      if (call->options_.stop.stop_requested()) {
        co_return error{net::net_error::cancelled, "cancelled by the caller"};
      }
      if (!call->chunks_.empty()) {
        std::optional<std::string> chunk = std::move(call->chunks_.front());
        call->chunks_.pop_front();
        if (!chunk->empty()) co_return chunk;
        continue;
      }
      if (call->broken_) co_return error{net::net_error::broken_body, "broken off by the test"};
      if (call->finished_) co_return std::optional<std::string>();
      if (loop->clock.now() >= deadline) {
        co_return error{net::net_error::broken_body, "the deadline is over"};
      }
      co_await scripted_transport::wait(loop, call, deadline);
    }
  }

  test_loop* loop_;
  scripted_call_ptr call_;
};

inline task<result<std::unique_ptr<net::http_exchange>>> scripted_transport::open(
    net::http_request request, net::exchange_options options) {
  auto call = std::make_shared<scripted_call>(std::move(request), std::move(options));
  calls_.push_back(call);
  test_loop* loop = &loop_;
  if (on_request) on_request(call);
  while (!call->answered()) {
    if (call->options_.stop.stop_requested()) {
      call->closed_ = true;
      co_return error{net::net_error::cancelled, "cancelled by the caller"};
    }
    if (loop->clock.now() >= call->options_.deadline) {
      call->closed_ = true;
      co_return error{net::net_error::no_answer, "the deadline is over"};
    }
    co_await wait(loop, call, call->options_.deadline);
  }
  if (call->refused_) {
    call->closed_ = true;
    co_return *call->refused_;
  }
  std::unique_ptr<net::http_exchange> exchange = std::make_unique<scripted_exchange>(loop, call);
  co_return exchange;
}

}  // namespace oarlock::test
