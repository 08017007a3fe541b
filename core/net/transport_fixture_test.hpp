#pragma once
// Test support: a loop, a transport and its calls as plain functions that run the loop to their
// end.
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/system_clock.hpp"
#include "core/net/client_transport.hpp"
#include "core/net/loopback_test.hpp"

namespace oarlock::net::testing {

using namespace std::chrono_literals;

// Long enough that it only passes when something hangs.
inline constexpr auto patience = 20s;
// For waits that must end by the deadline: the peer stays silent, so it cannot be too short.
inline constexpr auto soon = 30ms;

using opened = result<std::unique_ptr<http_exchange>>;

class transport_fixture : public ::testing::Test {
 protected:
  boost::asio::io_context io_;
  system_clock clock_;

  std::unique_ptr<transport> plain(const std::string& port) {
    client_transport_config config;
    config.host = "127.0.0.1";
    config.port = port;
    config.tls = false;
    return make(config);
  }
  std::unique_ptr<transport> secure(const std::string& port, tls_material material,
                                    const std::string& host = "127.0.0.1") {
    client_transport_config config;
    config.host = host;
    config.port = port;
    config.load_tls = [material] { return material; };
    return make(config);
  }
  std::unique_ptr<transport> make(client_transport_config config) {
    return make_client_transport(io_.get_executor(), clock_, std::move(config));
  }
  exchange_options by(duration d) { return {clock_.now() + d, {}}; }

  // Runs one coroutine on the loop to its end.
  template <class T>
  T run(task<T> work) {
    std::optional<T> out;
    boost::asio::co_spawn(io_, std::move(work), [&](std::exception_ptr e, T value) {
      if (e) std::rethrow_exception(e);
      out.emplace(std::move(value));
      io_.stop();
    });
    io_.restart();
    io_.run();
    return std::move(*out);
  }
  opened open(transport& t, http_request request, exchange_options options) {
    return run(t.open(std::move(request), std::move(options)));
  }
  result<std::optional<std::string>> read(http_exchange& e, duration d = patience) {
    return run(e.read_some(clock_.now() + d));
  }
  // Head and whole body; the body "!<message>" when it broke.
  std::pair<int, std::string> fetch(transport& t, const std::string& target = "/") {
    auto got = open(t, {"GET", target, {}, ""}, by(patience));
    if (!got) return {0, got.error().message};
    std::string body;
    for (;;) {
      auto piece = read(**got);
      if (!piece) return {(*got)->head().status, "!" + piece.error().message};
      if (!*piece) return {(*got)->head().status, body};
      body += **piece;
    }
  }
  net_error failure(transport& t, exchange_options options) {
    auto got = open(t, {"GET", "/", {}, ""}, std::move(options));
    if (got) return net_error{};
    last_message_ = got.error().message;
    return static_cast<net_error>(got.error().code.value());
  }
  net_error failure(transport& t) { return failure(t, by(patience)); }

  std::string last_message_;
};

// Answers every request with its own start line.
inline void echo(peer& p, int) {
  for (;;) {
    const auto request = p.read_request();
    if (request.empty()) return;
    p.write(ok_answer(request.substr(0, request.find("\r\n"))));
  }
}

}  // namespace oarlock::net::testing
