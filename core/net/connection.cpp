#include "core/net/connection.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "core/net/message.hpp"
#include "core/net/tls.hpp"

namespace oarlock::net {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

constexpr auto awaited = asio::as_tuple(asio::use_awaitable_t<executor>{});

constexpr std::size_t proxy_head_bytes_max = 16U << 10U;
const std::string nothing;

using integer_option = int;
void set_option(tcp::socket& socket, int level, int name, integer_option value) {
  // Best effort: a kernel without one of them still has the deadlines above it.
  ::setsockopt(socket.native_handle(), level, name, &value, sizeof value);
}

// A peer that vanished without a word is noticed within about a minute, even while nothing is sent.
void set_options(tcp::socket& socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
}

class tcp_connection final : public connection,
                             public std::enable_shared_from_this<tcp_connection> {
 public:
  tcp_connection(executor loop, const clock& clock_source, const client_transport_config& config)
      : loop_(std::move(loop)),
        clock_(clock_source),
        host_(config.host),
        port_(config.port),
        tls_wanted_(config.tls),
        via_(config.via),
        load_tls_(config.load_tls),
        tell_resolved_(config.resolved),
        socket_(loop_),
        timer_(loop_),
        resolved_(loop_) {}

  task<io_outcome> open(steady_time deadline) override;
  task<io_outcome> write(const std::string* head, const std::string* body,
                         steady_time deadline) override;
  task<io_outcome> read_some(char* to, std::size_t room, steady_time deadline) override;
  void bind(std::stop_token stop) override;
  void unbind() override;
  bool idle_and_alive() override;
  void close() override { end(io_end::cancelled); }

 private:
  using endpoints = std::vector<tcp::endpoint>;
  using tls_stream = asio::ssl::stream<tcp::socket&>;
  using timer_time = asio::steady_timer::time_point;

  task<io_outcome> find_addresses(steady_time deadline, endpoints* found);
  task<io_outcome> resolve(steady_time deadline, endpoints* found);
  task<io_outcome> connect(tcp::endpoint to, steady_time deadline);
  task<io_outcome> connect_any(endpoints to, steady_time deadline);
  task<io_outcome> tunnel(steady_time deadline);
  task<io_outcome> handshake(steady_time deadline);

  void arm(steady_time deadline);
  void disarm() { armed_.reset(); }
  void wait_until(timer_time when);
  void end(io_end why);
  void close_socket();
  [[nodiscard]] io_outcome outcome(error_code ec, std::size_t bytes, const char* doing) const;
  [[nodiscard]] bool over(steady_time deadline) const { return clock_.now() >= deadline; }

  executor loop_;
  const clock& clock_;
  std::string host_;
  std::string port_;
  bool tls_wanted_;
  std::optional<proxy> via_;
  std::function<result<tls_material>()> load_tls_;
  const std::function<void(duration)> tell_resolved_;

  tcp::socket socket_;
  std::unique_ptr<asio::ssl::context> tls_context_;
  std::optional<tls_stream> tls_;
  asio::steady_timer timer_;
  asio::steady_timer resolved_;
  // When the operation under way ends, and until when timer_ waits: one that is late already waits
  // on, because setting a timer for each read of a watch costs as much as the read.
  std::optional<timer_time> armed_, waiting_;
  std::uint64_t waits_ = 0;      // tells a late wait from the current one
  std::uint64_t bound_ = 0;      // the same for stop tokens
  io_end ended_ = io_end::done;  // why it was ended from outside, if it was
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

void tcp_connection::arm(steady_time deadline) {
  armed_ =
      asio::steady_timer::clock_type::now() + std::max(duration::zero(), deadline - clock_.now());
  if (!waiting_ || *armed_ < *waiting_) wait_until(*armed_);
}

void tcp_connection::wait_until(timer_time when) {
  waiting_ = when;
  timer_.expires_at(when);
  timer_.async_wait([weak = weak_from_this(), id = ++waits_](error_code ec) {
    const auto self = weak.lock();
    if (ec || !self || self->waits_ != id) return;
    self->waiting_.reset();
    if (!self->armed_) return;
    if (*self->armed_ > asio::steady_timer::clock_type::now()) {
      self->wait_until(*self->armed_);
    } else {
      self->end(io_end::deadline);
    }
  });
}

void tcp_connection::end(io_end why) {
  // Cancelling wins: a deadline of one address lets the next one be tried.
  if (ended_ == io_end::done || why == io_end::cancelled) ended_ = why;
  resolved_.cancel();
  close_socket();
}

void tcp_connection::close_socket() {
  error_code ignored;
  socket_.close(ignored);
}

io_outcome tcp_connection::outcome(error_code ec, std::size_t bytes, const char* doing) const {
  if (ended_ == io_end::deadline) {
    return {ended_, bytes, std::string(doing) + ": no progress before the deadline"};
  }
  if (ended_ == io_end::cancelled) return {ended_, bytes, std::string(doing) + ": cancelled"};
  if (ec == asio::error::eof) {
    return {io_end::closed, bytes, std::string(doing) + ": the server closed the connection"};
  }
  if (ec) return {io_end::failed, bytes, std::string(doing) + ": " + ec.message()};
  return {io_end::done, bytes, {}};
}

// getaddrinfo cannot be interrupted, so its answer is awaited through a timer that can.
task<io_outcome> tcp_connection::resolve(steady_time deadline, endpoints* found) {
  struct lookup {
    explicit lookup(const executor& loop) : resolver(loop) {}
    tcp::resolver resolver;
    bool finished = false;
    error_code ec;
    endpoints found;
  };
  const auto began = clock_.now();
  auto state = std::make_shared<lookup>(loop_);
  const auto& host = via_ ? via_->host : host_;
  const auto& port = via_ ? via_->port : port_;
  state->resolver.async_resolve(host, port, tcp::resolver::numeric_service,
                                [state, weak = weak_from_this()](error_code ec, auto results) {
                                  state->finished = true;
                                  state->ec = ec;
                                  for (const auto& entry : results)
                                    state->found.push_back(entry.endpoint());
                                  if (const auto self = weak.lock()) self->resolved_.cancel();
                                });
  resolved_.expires_after(std::max(duration::zero(), deadline - clock_.now()));
  co_await resolved_.async_wait(awaited);
  if (tell_resolved_) tell_resolved_(clock_.now() - began);
  if (!state->finished && ended_ == io_end::done) ended_ = io_end::deadline;
  if (ended_ != io_end::done) co_return outcome({}, 0, "name resolution");
  *found = std::move(state->found);
  co_return outcome(state->ec, 0, "name resolution");
}

task<io_outcome> tcp_connection::connect(tcp::endpoint to, steady_time deadline) {
  error_code ec;
  close_socket();
  socket_.open(to.protocol(), ec);
  if (ec) co_return outcome(ec, 0, "open a socket");
  set_options(socket_);
  arm(deadline);
  std::tie(ec) = co_await socket_.async_connect(to, awaited);
  disarm();
  co_return outcome(ec, 0, "connect");
}

// Addresses are tried in order; one that does not answer may not eat the time of the others.
task<io_outcome> tcp_connection::connect_any(endpoints to, steady_time deadline) {
  io_outcome last{io_end::failed, 0, "name resolution: no addresses found"};
  for (std::size_t i = 0; i < to.size(); ++i) {
    const auto now = clock_.now();
    if (now >= deadline) co_return io_outcome{io_end::deadline, 0, "connect: no time left"};
    const auto share = (deadline - now) / static_cast<long>(to.size() - i);
    last = co_await connect(to[i], now + share);
    if (last.end == io_end::done || last.end == io_end::cancelled) co_return last;
    ended_ = io_end::done;
  }
  co_return last;
}

task<io_outcome> tcp_connection::handshake(steady_time deadline) {
  auto material = load_tls_ ? load_tls_() : result<tls_material>(tls_material{});
  if (!material) co_return io_outcome{io_end::failed, 0, material.error().message};
  auto context = make_tls_context(*material);
  if (!context) co_return io_outcome{io_end::failed, 0, context.error().message};
  tls_context_ = std::move(*context);
  tls_.emplace(socket_, *tls_context_);
  const auto& name = material->server_name.empty() ? host_ : material->server_name;
  const auto expected = expect_peer(tls_->native_handle(), name, material->verify_peer);
  if (!expected) co_return io_outcome{io_end::failed, 0, expected.error().message};
  arm(deadline);
  auto [ec] = co_await tls_->async_handshake(asio::ssl::stream_base::client, awaited);
  disarm();
  auto out = outcome(ec, 0, "TLS handshake");
  if (out.end != io_end::failed) co_return out;
  if (const auto why = trust_failure(tls_->native_handle()); !why.empty()) {
    out.end = io_end::untrusted;
    out.message = "TLS handshake: the server's certificate for '" + name +
                  "' is not trusted: " + why + "; check the certificate authority and the name";
  }
  co_return out;
}

// Asks the proxy for a tunnel to the server. Its answer ends with its head: the server behind it
// speaks only when it is spoken to.
task<io_outcome> tcp_connection::tunnel(steady_time deadline) {
  const auto target = authority(host_, port_);
  std::string head = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!via_->authorization.empty()) {
    head += "Proxy-Authorization: " + via_->authorization + "\r\n";
  }
  auto done = co_await write(&(head += "\r\n"), &nothing, deadline);
  std::string answer;
  std::array<char, 1024> buffer{};
  while (done.end == io_end::done && answer.find("\r\n\r\n") == std::string::npos) {
    if (answer.size() > proxy_head_bytes_max) {
      co_return io_outcome{io_end::failed, 0, "proxy: expected a shorter answer to CONNECT"};
    }
    done = co_await read_some(buffer.data(), buffer.size(), deadline);
    answer.append(buffer.data(), done.bytes);
  }
  const auto name = "proxy " + authority(via_->host, via_->port) + ": ";
  if (done.end != io_end::done) {
    if (done.end == io_end::closed) done.end = io_end::failed;
    done.message.insert(0, name);
    co_return done;
  }
  const bool is_http = answer.starts_with("HTTP/1.") && answer.size() > 12;
  if (is_http && answer[9] == '2' && answer.ends_with("\r\n\r\n")) co_return io_outcome{};
  const auto line = is_http ? answer.substr(9, std::min<std::size_t>(answer.find('\r') - 9, 100))
                            : std::string("no HTTP answer");
  co_return io_outcome{io_end::failed, 0,
                       name + "expected 200 to CONNECT " + target + ", found " + line};
}

task<io_outcome> tcp_connection::find_addresses(steady_time deadline, endpoints* found) {
  const auto& host = via_ ? via_->host : host_;
  const auto& port_text = via_ ? via_->port : port_;
  error_code not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (not_an_address) co_return co_await resolve(deadline, found);
  asio::ip::port_type port = 0;
  const auto* end_of_port = port_text.data() + port_text.size();
  const auto [read_to, bad] = std::from_chars(port_text.data(), end_of_port, port);
  if (bad != std::errc() || read_to != end_of_port) {
    co_return io_outcome{io_end::failed, 0, "expected a port number, found '" + port_text + "'"};
  }
  found->emplace_back(address, port);
  co_return io_outcome{};
}

task<io_outcome> tcp_connection::open(steady_time deadline) {
  if (ended_ != io_end::done) co_return outcome({}, 0, "connect");
  endpoints found;
  auto done = co_await find_addresses(deadline, &found);
  if (done.end == io_end::done) done = co_await connect_any(std::move(found), deadline);
  if (done.end == io_end::done && via_) done = co_await tunnel(deadline);
  if (done.end != io_end::done || !tls_wanted_) co_return done;
  co_return co_await handshake(deadline);
}

task<io_outcome> tcp_connection::write(const std::string* head, const std::string* body,
                                       steady_time deadline) {
  if (ended_ != io_end::done) co_return outcome({}, 0, "send");
  if (over(deadline)) co_return io_outcome{io_end::deadline, 0, "send: no time left"};
  const std::array<asio::const_buffer, 2> bytes = {asio::buffer(*head), asio::buffer(*body)};
  error_code ec;
  std::size_t sent = 0;
  arm(deadline);
  if (tls_) {
    std::tie(ec, sent) = co_await asio::async_write(*tls_, bytes, awaited);
  } else {
    std::tie(ec, sent) = co_await asio::async_write(socket_, bytes, awaited);
  }
  disarm();
  co_return outcome(ec, sent, "send");
}

task<io_outcome> tcp_connection::read_some(char* to, std::size_t room, steady_time deadline) {
  if (ended_ != io_end::done) co_return outcome({}, 0, "receive");
  if (over(deadline)) {
    co_return io_outcome{io_end::deadline, 0, "receive: no progress before the deadline"};
  }
  error_code ec;
  std::size_t got = 0;
  arm(deadline);
  if (tls_) {
    std::tie(ec, got) = co_await tls_->async_read_some(asio::buffer(to, room), awaited);
  } else {
    std::tie(ec, got) = co_await socket_.async_read_some(asio::buffer(to, room), awaited);
  }
  disarm();
  co_return outcome(ec, got, "receive");
}

void tcp_connection::bind(std::stop_token stop) {
  const auto id = ++bound_;
  // The callback runs on whatever thread asks to stop: it may only post.
  on_stop_.emplace(std::move(stop), [weak = weak_from_this(), loop = loop_, id] {
    asio::post(loop, [weak, id] {
      const auto self = weak.lock();
      if (self && self->bound_ == id) self->end(io_end::cancelled);
    });
  });
}

void tcp_connection::unbind() {
  on_stop_.reset();
  ++bound_;
}

bool tcp_connection::idle_and_alive() {
  if (ended_ != io_end::done || !socket_.is_open()) return false;
  char byte = 0;
  const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

std::shared_ptr<connection> make_connection(executor loop, const clock& clock_source,
                                            const client_transport_config& config) {
  return std::make_shared<tcp_connection>(std::move(loop), clock_source, config);
}

}  // namespace oarlock::net
