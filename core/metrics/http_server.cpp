#include "core/metrics/http_server.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "core/base/log.hpp"
#include "core/metrics/errors.hpp"

namespace oarlock::metrics {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr auto tuple = asio::as_tuple(asio::use_awaitable);
constexpr auto accept_pause = 100ms;
constexpr auto goodbye_timeout = 1s;
constexpr std::size_t read_piece_bytes = 1024;
constexpr std::size_t swallowed_bytes_max = 1U << 20U;

using string_response = http::response<http::string_body>;

http_answer refusal(int status, std::string why) {
  return {.status = status, .body = std::move(why) + "\n"};
}

// Why a request could not be read, as an answer; nullopt when there is nobody to answer.
std::optional<http_answer> refusal_of(const boost::system::error_code& ec,
                                      const http_server_config& limits) {
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    return refusal(
        431, fmt::format("expected a request head of at most {} bytes", limits.header_bytes_max));
  }
  if (ec == http::error::body_limit) {
    return limits.body_bytes_max == 0
               ? refusal(413, "expected a request without a body")
               : refusal(413,
                         fmt::format("expected a body of at most {} bytes", limits.body_bytes_max));
  }
  if (ec == http::error::end_of_stream || ec == http::error::partial_message) return std::nullopt;
  if (ec.category() == http::make_error_code(http::error::bad_method).category()) {
    return refusal(400, "expected an HTTP/1.1 request, found: " + ec.message());
  }
  return std::nullopt;
}

struct response_shape {
  unsigned version = 11;
  bool keep_alive = false;
  bool head_only = false;
  const char* methods = "";  // that are allowed
};

string_response to_response(http_answer answer, const response_shape& shape) {
  string_response made;
  made.version(shape.version);
  made.result(static_cast<unsigned>(answer.status));
  made.set(http::field::content_type, answer.content_type);
  made.set(http::field::cache_control, "no-store");
  made.set("X-Content-Type-Options", "nosniff");
  if (answer.status == 405) made.set(http::field::allow, shape.methods);
  if (answer.retry_after) {
    made.set(http::field::retry_after, std::to_string(answer.retry_after->count()));
  }
  if (!answer.www_authenticate.empty()) {
    made.set(http::field::www_authenticate, answer.www_authenticate);
  }
  made.keep_alive(shape.keep_alive);
  if (made.result() == http::status::no_content) {  // RFC 9110: not even a length
    made.erase(http::field::content_type);
    return made;
  }
  made.content_length(answer.body.size());
  if (!shape.head_only) made.body() = std::move(answer.body);
  return made;
}

}  // namespace

bool http_question::has(std::string_view parameter) const {
  std::string_view left = query;
  while (!left.empty()) {
    const auto part = left.substr(0, left.find('&'));
    if (part.substr(0, part.find('=')) == parameter) return true;
    left.remove_prefix(std::min(left.size(), part.size() + 1));
  }
  return false;
}

namespace {

struct server_state {
  executor loop;
  http_server_config config;
  tcp::acceptor listener;
  std::map<std::string, http_handler, std::less<>> handlers;
  http_handler rest;  // of all other paths; may be empty
  // Open connections, by what cuts them off.
  std::map<std::uint64_t, tcp::socket*> open;
  std::uint64_t next_id = 1;
  std::stop_source stopping;
  counter* refused = nullptr;

  server_state(executor l, http_server_config c) : loop(l), config(std::move(c)), listener(l) {}

  [[nodiscard]] bool takes_bodies() const { return config.body_bytes_max > 0; }
  [[nodiscard]] const char* methods() const {
    return takes_bodies() ? "GET, HEAD, POST, PUT, DELETE" : "GET, HEAD";
  }
  [[nodiscard]] bool takes(http::verb method) const {
    if (method == http::verb::get || method == http::verb::head) return true;
    return takes_bodies() && (method == http::verb::post || method == http::verb::put ||
                              method == http::verb::delete_);
  }
  [[nodiscard]] bool crowded() const { return open.size() * 2 > config.connections_max; }
};

// Counts a connection for as long as its coroutine lives, and lets stop() cut it off.
class registration {
 public:
  registration(std::map<std::uint64_t, tcp::socket*>& open, std::uint64_t id, tcp::socket& socket)
      : open_(open), id_(id) {
    open_[id_] = &socket;
  }
  ~registration() { open_.erase(id_); }
  registration(const registration&) = delete;
  registration& operator=(const registration&) = delete;

 private:
  std::map<std::uint64_t, tcp::socket*>& open_;
  std::uint64_t id_;
};

task<http_answer> ask_handler(std::shared_ptr<server_state> s, http_question question) {
  const auto at = s->handlers.find(question.path);
  const auto& handler = at == s->handlers.end() ? s->rest : at->second;
  if (!handler) co_return refusal(404, "not found");
  std::stop_source over;
  asio::steady_timer limit(s->loop);
  limit.expires_after(s->config.handler_timeout);
  limit.async_wait([over](boost::system::error_code ec) mutable {
    if (!ec) over.request_stop();
  });
  const std::stop_callback ends(s->stopping.get_token(), [&over] { over.request_stop(); });
  co_return co_await handler(std::move(question), over.get_token());
}

task<http_answer> answer_to(std::shared_ptr<server_state> s,
                            http::request<http::string_body> request) {
  if (!s->takes(request.method())) {
    co_return refusal(405, fmt::format("expected one of {}", s->methods()));
  }
  const std::string target(request.target());
  const auto mark = target.find('?');
  http_question question;
  question.path = target.substr(0, mark);
  if (mark != std::string::npos) question.query = target.substr(mark + 1);
  question.authorization = std::string(request[http::field::authorization]);
  question.method = std::string(request.method_string());
  question.content_type = std::string(request[http::field::content_type]);
  question.body = std::move(request.body());
  co_return co_await ask_handler(s, std::move(question));
}

using request_reader = http::request_parser<http::string_body>;
using boost::system::error_code;

// A connection, plain or TLS, as a conversation needs it. Beast's own reading and writing would be
// compiled for both kinds: a minute of compiler for nothing.
class wire {
 public:
  virtual ~wire() = default;
  virtual task<std::pair<error_code, std::size_t>> read_some(asio::mutable_buffer room) = 0;
  /// All of both. What they point to outlives the call.
  virtual task<error_code> write(std::array<asio::const_buffer, 2> bytes) = 0;
  virtual void expires_after(duration limit) = 0;
};

template <class Stream>
class wire_of final : public wire {
 public:
  explicit wire_of(Stream& stream) : stream_(stream) {}
  task<std::pair<error_code, std::size_t>> read_some(asio::mutable_buffer room) override {
    const auto [ec, bytes] = co_await stream_.async_read_some(room, tuple);
    co_return std::pair(ec, bytes);
  }
  task<error_code> write(std::array<asio::const_buffer, 2> bytes) override {
    const auto [ec, sent] = co_await asio::async_write(stream_, bytes, tuple);
    co_return ec;
  }
  void expires_after(duration limit) override {
    beast::get_lowest_layer(stream_).expires_after(limit);
  }

 private:
  Stream& stream_;
};

// Reads until the head of a request is there, or all of it. All parameters outlive the call.
task<error_code> read_until(wire& from, beast::flat_buffer& buffer, request_reader& parser,
                            bool (request_reader::*done)() const) {
  while (!(parser.*done)()) {
    error_code ec = http::error::need_more;
    if (buffer.size() > 0) {
      ec = {};
      buffer.consume(parser.put(buffer.data(), ec));
    }
    if (!ec) continue;
    if (ec != http::error::need_more) co_return ec;
    const auto room = std::min(read_piece_bytes, buffer.max_size() - buffer.size());
    if (room == 0) co_return http::error::buffer_overflow;
    const auto [failed, bytes] = co_await from.read_some(buffer.prepare(room));
    if (failed == asio::error::eof) {
      if (!parser.got_some()) co_return http::error::end_of_stream;
      error_code cut;
      parser.put_eof(cut);
      co_return cut ? cut : error_code(http::error::partial_message);
    }
    if (failed) co_return failed;
    buffer.commit(bytes);
  }
  co_return error_code{};
}

// What it points to outlives the call.
task<error_code> write_response(wire& to, const string_response& response) {
  std::ostringstream head;
  head << response.base();
  const std::string text = std::move(head).str();
  co_return co_await to.write({asio::buffer(text), asio::buffer(response.body())});
}

// The rest of a request whose head is there. nullopt: it is whole. All outlive the call.
task<std::optional<error_code>> read_body(std::shared_ptr<server_state> s, wire& stream,
                                          beast::flat_buffer& buffer, request_reader& parser) {
  if (parser.is_done()) co_return std::nullopt;
  // Bytes of a body that is not read would be taken for the next request.
  if (!s->takes_bodies()) co_return make_error_code(http::error::body_limit);
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    const string_response go_on{http::status::continue_, parser.get().version()};
    if (const auto ec = co_await write_response(stream, go_on)) co_return ec;
  }
  const auto ec = co_await read_until(stream, buffer, parser, &request_reader::is_done);
  if (ec) co_return ec;
  co_return std::nullopt;
}

// A client that is still sending would not see the answer before the end of the connection: what
// comes is read and dropped, for a little while. `stream` outlives the call.
task<> swallow(std::shared_ptr<server_state> s, wire& stream) {
  if (!s->takes_bodies()) co_return;
  stream.expires_after(goodbye_timeout);
  std::array<char, 4096> piece{};
  for (std::size_t left = swallowed_bytes_max; left > 0;) {
    const auto [ec, bytes] = co_await stream.read_some(asio::buffer(piece));
    if (ec) co_return;
    left -= std::min(left, bytes);
  }
}

// One request and its answer. False: the connection is done. `stream` and `buffer` outlive the
// call.
task<bool> exchange(std::shared_ptr<server_state> s, wire& stream, beast::flat_buffer& buffer,
                    bool last) {
  request_reader parser;
  parser.header_limit(static_cast<std::uint32_t>(s->config.header_bytes_max));
  parser.body_limit(s->config.body_bytes_max);
  stream.expires_after(s->config.read_timeout);
  const auto head_error =
      co_await read_until(stream, buffer, parser, &request_reader::is_header_done);
  std::optional<error_code> failed;
  if (head_error) {
    failed = head_error;
  } else {
    failed = co_await read_body(s, stream, buffer, parser);
  }
  response_shape shape;
  shape.methods = s->methods();
  shape.head_only = !head_error && parser.get().method() == http::verb::head;
  if (!head_error) shape.version = parser.get().version();
  const bool may_go_on = !failed && parser.keep_alive() && !last;
  http_answer answer;
  if (failed) {
    auto refused = refusal_of(*failed, s->config);
    if (!refused) co_return false;
    answer = std::move(*refused);
  } else {
    answer = co_await answer_to(s, parser.release());
  }
  shape.keep_alive = may_go_on && !s->crowded() && !s->stopping.stop_requested();
  const auto response = to_response(std::move(answer), shape);
  stream.expires_after(s->config.write_timeout);
  const auto write_error = co_await write_response(stream, response);
  if (failed && !write_error) co_await swallow(s, stream);
  co_return !write_error && shape.keep_alive;
}

// `stream` outlives the call.
task<> converse(std::shared_ptr<server_state> s, wire& stream) {
  beast::flat_buffer buffer(s->config.header_bytes_max + read_piece_bytes);
  const auto most = s->config.requests_per_connection_max;
  for (std::size_t n = 1; n <= most; ++n) {
    if (buffer.size() == 0) {
      // Waiting for a request to begin is idling; once it has begun it must come quickly.
      stream.expires_after(n == 1 ? s->config.read_timeout : s->config.idle_timeout);
      const auto [ec, bytes] = co_await stream.read_some(buffer.prepare(read_piece_bytes));
      if (ec) co_return;
      buffer.commit(bytes);
    }
    const bool more = co_await exchange(s, stream, buffer, n == most);
    if (!more) co_return;
  }
}

task<> serve_plain(std::shared_ptr<server_state> s, tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  const registration counted(s->open, s->next_id++, stream.socket());
  wire_of conversed(stream);
  co_await converse(s, conversed);
  boost::system::error_code ignored;
  stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

task<> serve_tls(std::shared_ptr<server_state> s, tcp::socket socket) {
  auto* native = s->config.tls->current();
  SSL_CTX_up_ref(native);
  asio::ssl::context context(native);  // takes the reference
  asio::ssl::stream<beast::tcp_stream> stream(beast::tcp_stream(std::move(socket)), context);
  auto& socket_below = beast::get_lowest_layer(stream);
  const registration counted(s->open, s->next_id++, socket_below.socket());
  socket_below.expires_after(s->config.read_timeout);
  const auto [failed] = co_await stream.async_handshake(asio::ssl::stream_base::server, tuple);
  if (failed) co_return;
  wire_of conversed(stream);
  co_await converse(s, conversed);
  socket_below.expires_after(goodbye_timeout);
  co_await stream.async_shutdown(tuple);
}

task<> accept_all(std::shared_ptr<server_state> s) {
  while (!s->stopping.stop_requested()) {
    auto [ec, socket] = co_await s->listener.async_accept(tuple);
    if (s->stopping.stop_requested()) co_return;
    if (ec) {
      // Out of descriptors, most likely: the pending connection stays, so do not spin on it.
      asio::steady_timer pause(s->loop);
      pause.expires_after(accept_pause);
      co_await pause.async_wait(tuple);
      continue;
    }
    if (s->open.size() >= s->config.connections_max) {
      s->refused->add();
      continue;  // the socket closes here
    }
    auto served =
        s->config.tls ? serve_tls(s, std::move(socket)) : serve_plain(s, std::move(socket));
    spawn(s->loop, std::move(served));
  }
}

// Every address: one socket for both families where the machine has IPv6, as Go's servers do.
boost::system::error_code listen_on(tcp::acceptor& listener, const bind_address& where) {
  boost::system::error_code ec;
  const auto open = [&](const tcp::endpoint& endpoint, bool both) {
    boost::system::error_code ignored;
    listener.close(ignored);
    listener.open(endpoint.protocol(), ec);
    if (!ec) listener.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec && both) listener.set_option(asio::ip::v6_only(false), ec);
    if (!ec) listener.bind(endpoint, ec);
    if (!ec) listener.listen(tcp::acceptor::max_listen_connections, ec);
    return !ec;
  };
  if (where.host.empty()) {
    if (!open({tcp::v6(), where.port}, true) && ec != asio::error::address_in_use) {
      open({tcp::v4(), where.port}, false);
    }
    return ec;
  }
  const auto address = asio::ip::make_address(where.host, ec);
  if (!ec) open({address, where.port}, false);
  return ec;
}

}  // namespace

struct http_server::state : server_state {
  using server_state::server_state;
};

http_server::http_server(executor loop, metric_registry& metrics, http_server_config config)
    : state_(std::make_shared<state>(std::move(loop), std::move(config))) {
  state_->refused = &metrics.make_counter("oarlock_http_connections_refused_total",
                                          "Connections closed at once because too many were open",
                                          {{"server", state_->config.name}});
}

http_server::~http_server() {
  stop();
}

void http_server::handle_rest(http_handler handler) {
  state_->rest = std::move(handler);
}

void http_server::handle(std::string path, http_handler handler) {
  state_->handlers.insert_or_assign(std::move(path), std::move(handler));
}

result<> http_server::start() {
  auto& s = *state_;
  const auto asked = s.config.where.text();
  if (const auto ec = listen_on(s.listener, s.config.where)) {
    return error{metrics_error::cannot_listen,
                 fmt::format("expected to listen on {} for {}, found: {}; choose another address "
                             "with --{}-bind-address",
                             asked, s.config.name, ec.message(),
                             s.config.name == "probes" ? "health-probe" : s.config.name)};
  }
  boost::system::error_code ec;
  if (const auto endpoint = s.listener.local_endpoint(ec); !ec) {
    s.config.where.port = endpoint.port();
  }
  log_info("listening", {{"server", s.config.name},
                         {"address", s.config.where.text()},
                         {"tls", s.config.tls != nullptr}});
  spawn(s.loop, accept_all(state_));
  return {};
}

const bind_address& http_server::where() const {
  return state_->config.where;
}

void http_server::stop() {
  if (!state_->stopping.request_stop()) return;
  boost::system::error_code ignored;
  state_->listener.close(ignored);
  for (auto& [id, socket] : state_->open)
    socket->close(ignored);
}

}  // namespace oarlock::metrics
