#include "core/metrics/http_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <fstream>
#include <future>
#include <thread>

#include "core/base/log.hpp"
#include "core/base/system_clock.hpp"
#include "core/metrics/errors.hpp"

namespace oarlock::metrics {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A server on a loop of its own thread, on a free loopback port.
class running_server {
 public:
  explicit running_server(http_server_config config = {}) {
    log_configure(log_level::error, log_format::text);
    config.name = "probes";
    config.where = {"127.0.0.1", 0};
    server_ = std::make_unique<http_server>(loop_.get_executor(), *metrics_, std::move(config));
    server_->handle("/healthz", [](http_question q, std::stop_token) -> task<http_answer> {
      co_return http_answer{.body = q.has("verbose") ? "verbose\n" : "ok\n"};
    });
    server_->handle("/who", [](http_question q, std::stop_token) -> task<http_answer> {
      co_return http_answer{
          .status = 401, .body = q.authorization + "\n", .www_authenticate = "Bearer"};
    });
    server_->handle("/big", [](http_question, std::stop_token) -> task<http_answer> {
      co_return http_answer{.body = std::string(32U << 20U, 'x')};
    });
    const auto started = server_->start();
    EXPECT_TRUE(started) << started.error().message;
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~running_server() {
    on_loop([this] { server_.reset(); });
    work_.reset();
    thread_.join();
  }
  void on_loop(std::function<void()> what) {
    std::promise<void> done;
    asio::post(loop_, [&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }
  [[nodiscard]] std::uint16_t port() const { return server_->where().port; }
  http_server& server() { return *server_; }
  std::string metrics() { return metrics_->serialize(); }

 private:
  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(loop_);
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  std::unique_ptr<http_server> server_;
  std::thread thread_;
};

// A blocking client. Reads give up after 20 s, so that a broken server fails a test and hangs none.
class client {
 public:
  explicit client(std::uint16_t port) : socket_(loop_) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
    const timeval limit{20, 0};
    setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(socket_.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  }
  client& send(const std::string& bytes) {
    boost::system::error_code ec;
    asio::write(socket_, asio::buffer(bytes), ec);
    return *this;
  }
  // Everything until the server closes; `closed` says that it did.
  std::string read_all(bool* closed = nullptr) {
    std::string all;
    boost::system::error_code ec;
    asio::read(socket_, asio::dynamic_buffer(all), ec);
    if (closed != nullptr) *closed = ec == asio::error::eof || ec == asio::error::connection_reset;
    return all;
  }
  std::string read_until(const std::string& end) {
    std::string all;
    boost::system::error_code ec;
    asio::read_until(socket_, asio::dynamic_buffer(all), end, ec);
    return ec ? "error: " + ec.message() : all;
  }

 private:
  asio::io_context loop_;
  tcp::socket socket_;
};

std::string get(std::uint16_t port, const std::string& line, const std::string& headers = {}) {
  client c(port);
  c.send(line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + "\r\n");
  return c.read_all();
}

TEST(http_server, answers_exact_paths_only) {
  running_server s;
  const struct {
    const char* line;
    const char* headers;
    const char* start;
    const char* part;
  } cases[] = {
      {"GET /healthz", "", "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n"},
      {"GET /healthz?verbose", "", "HTTP/1.1 200 OK\r\n", "\r\n\r\nverbose\n"},
      {"GET /healthz?a=b&verbose=1", "", "HTTP/1.1 200 OK\r\n", "\r\n\r\nverbose\n"},
      {"GET /healthz?unverbose", "", "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n"},
      {"GET /healthz/", "", "HTTP/1.1 404 Not Found\r\n", "not found"},
      {"GET /", "", "HTTP/1.1 404 Not Found\r\n", "not found"},
      {"GET /%68ealthz", "", "HTTP/1.1 404 Not Found\r\n", "not found"},
      {"POST /healthz", "", "HTTP/1.1 405 Method Not Allowed\r\n", "Allow: GET, HEAD"},
      {"DELETE /healthz", "", "HTTP/1.1 405 Method Not Allowed\r\n", "Allow: GET, HEAD"},
      {"GET /who", "Authorization: Bearer t\r\n", "HTTP/1.1 401 Unauthorized\r\n", "Bearer t\n"},
      {"GET /who", "", "HTTP/1.1 401 Unauthorized\r\n", "WWW-Authenticate: Bearer\r\n"},
      {"GET /healthz", "Content-Length: 5\r\n", "HTTP/1.1 413 ", "without a body"},
      {"GET /healthz", "Transfer-Encoding: chunked\r\n", "HTTP/1.1 413 ", "without a body"},
      {"GET healthz x", "", "HTTP/1.1 400 Bad Request\r\n", "expected an HTTP/1.1 request"},
  };
  for (const auto& c : cases) {
    const auto answer = get(s.port(), c.line, c.headers);
    EXPECT_THAT(answer, StartsWith(c.start)) << c.line;
    EXPECT_THAT(answer, HasSubstr(c.part)) << c.line;
  }
}

// Methods with bodies, on every path.
http_server_config with_bodies() {
  http_server_config config;
  config.body_bytes_max = 1024;
  return config;
}

class body_server : public running_server {
 public:
  body_server() : running_server(with_bodies()) {
    on_loop([this] {
      server().handle_rest([](http_question q, std::stop_token) -> task<http_answer> {
        http_answer out;
        out.status = 429;
        out.body = q.method + " " + q.path + " " + q.content_type + " " + q.body + "\n";
        out.retry_after = 7s;
        co_return out;
      });
    });
  }
};

TEST(http_server, takes_bodies_where_it_was_told_to) {
  body_server s;
  client c(s.port());
  c.send("POST /v1/a HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nhel");
  c.send("lo");
  EXPECT_THAT(c.read_until("hello\n"), AllOf(HasSubstr("429 "), HasSubstr("Retry-After: 7"),
                                             HasSubstr("POST /v1/a text/x")));
  c.send("PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
  EXPECT_THAT(c.read_until("ab\n"), HasSubstr("PUT /b  ab")) << "the connection goes on";
  c.send("DELETE /c HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(c.read_until("DELETE /c"), HasSubstr("DELETE /c"));
  EXPECT_THAT(get(s.port(), "PATCH /d", ""), HasSubstr("Allow: GET, HEAD, POST, PUT, DELETE"));
  EXPECT_THAT(get(s.port(), "GET /healthz"), HasSubstr("\r\n\r\nok\n"));
}

TEST(http_server, says_nothing_with_a_204_and_goes_on) {
  running_server s;
  s.on_loop([&s] {
    s.server().handle("/none", [](http_question, std::stop_token) -> task<http_answer> {
      co_return http_answer{.status = 204, .body = "lost"};
    });
  });
  client c(s.port());
  c.send("GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = c.read_until("\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Type:")));
  c.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(c.read_until("ok\n"), StartsWith("HTTP/1.1 200 OK"));
}

TEST(http_server, refuses_a_body_that_is_too_large_and_is_heard) {
  body_server s;
  const std::string large(200000, 'x');
  const auto declared = get(s.port(), "POST /v1/a", "Content-Length: 200000\r\n\r\n" + large);
  EXPECT_THAT(declared, AllOf(StartsWith("HTTP/1.1 413 "), HasSubstr("at most 1024 bytes")));
  client c(s.port());
  c.send("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n" + large +
         "\r\n0\r\n\r\n");
  bool closed = false;
  EXPECT_THAT(c.read_all(&closed), StartsWith("HTTP/1.1 413 "));
  EXPECT_TRUE(closed);
}

TEST(http_server, says_go_on_to_a_client_that_asks_first) {
  body_server s;
  client c(s.port());
  c.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(c.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
  c.send("hi");
  EXPECT_THAT(c.read_until("hi\n"), HasSubstr("POST /a"));
}

TEST(http_server, a_body_that_does_not_come_is_waited_for_no_longer_than_a_head) {
  auto config = with_bodies();
  config.read_timeout = 50ms;
  running_server s(std::move(config));
  client c(s.port());
  c.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
  bool closed = false;
  EXPECT_EQ(c.read_all(&closed), "");
  EXPECT_TRUE(closed);
}

TEST(http_server, head_has_the_length_and_no_body) {
  running_server s;
  const auto answer = get(s.port(), "HEAD /healthz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST(http_server, keeps_a_connection_for_a_bounded_number_of_requests) {
  http_server_config config;
  config.requests_per_connection_max = 3;
  running_server s(std::move(config));
  client c(s.port());
  for (int i = 0; i < 2; ++i) {
    c.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(c.read_until("ok\n"), StartsWith("HTTP/1.1 200 OK"));
  }
  bool closed = false;
  c.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(c.read_all(&closed), HasSubstr("Connection: close"));
  EXPECT_TRUE(closed);
}

TEST(http_server, answers_pipelined_requests_in_order) {
  running_server s;
  client c(s.port());
  c.send(
      "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz?verbose HTTP/1.1\r\nHost: x\r\n"
      "Connection: close\r\n\r\n");
  const auto both = c.read_all();
  const auto first = both.find("\r\n\r\nok\n");
  ASSERT_NE(first, std::string::npos) << both;
  EXPECT_GT(both.find("\r\n\r\nverbose\n"), first);
}

TEST(http_server, a_huge_head_is_refused) {
  running_server s;
  const auto answer = get(s.port(), "GET /healthz", "X: " + std::string(9000, 'a') + "\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
  const auto fits = get(s.port(), "GET /healthz", "X: " + std::string(7000, 'a') + "\r\n");
  EXPECT_THAT(fits, StartsWith("HTTP/1.1 200 "));
}

TEST(http_server, a_slow_client_is_cut_off) {
  http_server_config config;
  config.read_timeout = 100ms;
  config.idle_timeout = 100ms;
  running_server s(std::move(config));
  // Says nothing; begins and stops; asks once and then idles.
  for (const auto* begin :
       {"", "GET /healthz HTTP/1.1\r\nHo", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    client c(s.port());
    c.send(begin);
    bool closed = false;
    c.read_all(&closed);
    EXPECT_TRUE(closed) << begin;
  }
}

TEST(http_server, a_client_that_does_not_read_is_cut_off) {
  http_server_config config;
  config.write_timeout = 200ms;
  config.connections_max = 1;
  running_server s(std::move(config));
  client stuck(s.port());
  stuck.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  // Its place becomes free although it never reads.
  std::string answer;
  const auto patience = std::chrono::steady_clock::now() + 20s;
  while (answer.empty() && std::chrono::steady_clock::now() < patience) {
    answer = get(s.port(), "GET /healthz");
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
}

TEST(http_server, connections_are_capped_and_counted) {
  http_server_config config;
  config.connections_max = 4;
  config.read_timeout = 60s;
  running_server s(std::move(config));
  // They are accepted in order, so all four are counted before the fifth comes.
  std::vector<std::unique_ptr<client>> held;
  for (int i = 0; i < 4; ++i)
    held.push_back(std::make_unique<client>(s.port()));
  bool closed = false;
  client(s.port()).read_all(&closed);
  EXPECT_TRUE(closed);
  EXPECT_THAT(s.metrics(),
              HasSubstr("oarlock_http_connections_refused_total{server=\"probes\"} 1"));
}

TEST(http_server, stop_closes_what_is_open) {
  running_server s;
  client idle(s.port());
  idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  idle.read_until("ok\n");
  s.on_loop([&] {
    s.server().stop();
    s.server().stop();
  });
  bool closed = false;
  idle.read_all(&closed);
  EXPECT_TRUE(closed);
  EXPECT_THROW(client{s.port()}, boost::system::system_error);
}

TEST(http_server, a_taken_port_is_named_with_a_remedy) {
  running_server s;
  asio::io_context loop{1};
  auto metrics = make_prometheus_registry();
  http_server_config config;
  config.name = "probes";
  config.where = {"127.0.0.1", s.port()};
  http_server second(loop.get_executor(), *metrics, std::move(config));
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, metrics_error::cannot_listen);
  EXPECT_THAT(started.error().message, HasSubstr("127.0.0.1:" + std::to_string(s.port())));
  EXPECT_THAT(started.error().message, HasSubstr("--health-probe-bind-address"));
}

// Asks over TLS and checks the server's certificate against `ca_pem`.
std::string get_tls(std::uint16_t port, const std::string& ca_pem, std::string* peer_pem = nullptr,
                    const std::string& path = "/healthz") {
  asio::io_context loop;
  asio::ssl::context context(asio::ssl::context::tls_client);
  context.add_certificate_authority(asio::buffer(ca_pem));
  asio::ssl::stream<tcp::socket> stream(loop, context);
  stream.set_verify_mode(asio::ssl::verify_peer);
  stream.set_verify_callback(asio::ssl::host_name_verification("127.0.0.1"));
  stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), port});
  boost::system::error_code ec;
  stream.handshake(asio::ssl::stream_base::client, ec);
  if (ec) return "handshake: " + ec.message();
  if (peer_pem != nullptr) *peer_pem = SSL_get_version(stream.native_handle());
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  asio::write(stream, asio::buffer(request), ec);
  std::string all;
  asio::read(stream, asio::dynamic_buffer(all), ec);
  return all;
}

TEST(http_server, self_signed_tls_answers_those_who_have_its_certificate) {
  const system_clock time;
  auto tls = tls_self_signed({"localhost", "127.0.0.1"}, time);
  ASSERT_TRUE(tls) << tls.error().message;
  const auto pem = (*tls)->certificate_pem();
  auto other = tls_self_signed({"127.0.0.1"}, time);
  ASSERT_TRUE(other);
  http_server_config config;
  config.tls = std::move(*tls);
  running_server s(std::move(config));
  std::string version;
  EXPECT_THAT(get_tls(s.port(), pem, &version), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_EQ(version, "TLSv1.3");
  const auto page = get_tls(s.port(), pem, nullptr, "/big");
  EXPECT_EQ(page.size() - page.find("\r\n\r\n") - 4, 32U << 20U);
  EXPECT_THAT(get_tls(s.port(), (*other)->certificate_pem()), StartsWith("handshake: "));
  client plain(s.port());
  plain.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(plain.read_all().find("HTTP/"), std::string::npos);
}

}  // namespace
}  // namespace oarlock::metrics
