#include "core/net/client_transport.hpp"

#include <array>
#include <optional>
#include <utility>

#include "core/base/assert.hpp"
#include "core/net/answer_parser.hpp"
#include "core/net/connection_pool.hpp"
#include "core/net/gzip_reader.hpp"
#include "core/net/message.hpp"

namespace oarlock::net {

namespace {

constexpr std::size_t read_bytes = 16U << 10U;  // one TLS record
constexpr std::size_t piece_bytes_max = 64U << 10U;

error failed(net_error code, const std::string& where, const std::string& why) {
  return {code, where + ": " + why};
}

// The connection's answer being read: shared by the exchange and its pending read, so that the
// exchange may go first.
struct reading {
  reading(lease on, std::string server, std::size_t header_bytes_max, bool head_request)
      : place(std::move(on)), host(std::move(server)), parser(header_bytes_max, head_request) {}

  lease place;
  std::string host;
  answer_parser parser;
  std::optional<gzip_reader> gzip;
  std::array<char, read_bytes> buffer;
  bool busy = false;
  bool ended = false;

  // The answer is whole: the connection goes back, or away.
  void finish() {
    ended = true;
    // The server may have refused a certificate that was replaced since: connect anew with the
    // files as they are now.
    if (parser.head().status == 401) place.retire_era();
    if (parser.reusable()) {
      place.keep();
    } else {
      place.drop();
    }
  }
  error abort(net_error code, const std::string& why) {
    ended = true;
    place.drop();
    return failed(code, host, why);
  }
};

// Reads once and feeds the parser. The error's code is of the phase: before or after the head.
task<result<>> read_more(std::shared_ptr<reading> r, steady_time deadline) {
  const auto c = r->place.get();
  const auto got = co_await c->read_some(r->buffer.data(), r->buffer.size(), deadline);
  if (got.end == io_end::cancelled) co_return r->abort(net_error::cancelled, got.message);
  const auto phase = r->parser.head_ready() ? net_error::broken_body : net_error::no_answer;
  if (got.end == io_end::deadline || got.end == io_end::failed) {
    co_return r->abort(phase, got.message);
  }
  const auto fed = got.end == io_end::closed ? r->parser.feed_end()
                                             : r->parser.feed({r->buffer.data(), got.bytes});
  if (!fed) {
    const auto code = static_cast<net_error>(fed.error().code.value());
    co_return r->abort(code, fed.error().message);
  }
  co_return result<>();
}

// The piece of the body that is already here; empty when there is none.
result<std::string> ready_piece(reading& r) {
  if (!r.gzip) return r.parser.take_body();
  r.gzip->feed(r.parser.take_body());
  return r.gzip->take(piece_bytes_max);
}

task<result<std::optional<std::string>>> read_piece(std::shared_ptr<reading> r,
                                                    steady_time deadline) {
  OARLOCK_ASSERT(!r->busy, "two reads of one answer at a time");
  if (r->ended) co_return std::optional<std::string>();
  r->busy = true;
  for (;;) {
    auto piece = ready_piece(*r);
    if (!piece) {
      r->busy = false;
      co_return r->abort(net_error::broken_body, piece.error().message);
    }
    if (!piece->empty()) {
      r->busy = false;
      co_return std::optional<std::string>(std::move(*piece));
    }
    if (r->parser.done()) break;
    auto more = co_await read_more(r, deadline);
    if (!more) {
      r->busy = false;
      co_return more.error();
    }
  }
  r->busy = false;
  if (r->gzip && !r->gzip->at_end()) {
    co_return r->abort(net_error::broken_body, "the gzip data of the answer end too early");
  }
  r->finish();
  co_return std::optional<std::string>();
}

class client_exchange final : public http_exchange {
 public:
  explicit client_exchange(std::shared_ptr<reading> r) : reading_(std::move(r)) {}
  ~client_exchange() override { reading_->place.drop(); }
  client_exchange(const client_exchange&) = delete;
  client_exchange& operator=(const client_exchange&) = delete;

  [[nodiscard]] const http_head& head() const override { return reading_->parser.head(); }
  [[nodiscard]] task<result<std::optional<std::string>>> read_some(steady_time deadline) override {
    return read_piece(reading_, deadline);
  }

 private:
  std::shared_ptr<reading> reading_;
};

// What the transport and its open calls share: a call may outlive the transport.
struct shared_parts {
  executor loop;
  const clock* clock_source;
  client_transport_config config;
  std::string host;         // for people: always with the port
  std::string host_header;  // without the scheme's own port (RFC 9110 section 4.2.3)
  std::shared_ptr<connection_pool> pool;
};
using shared = std::shared_ptr<const shared_parts>;

error open_error(const shared_parts& s, const io_outcome& out) {
  const auto code = out.end == io_end::cancelled   ? net_error::cancelled
                    : out.end == io_end::untrusted ? net_error::untrusted
                                                   : net_error::not_sent;
  return failed(code, s.host, out.message);
}

// A place in the pool (or outside it) with an open connection that `options.stop` can close.
task<result<lease>> connected(shared s, exchange_options options) {
  lease place;
  if (options.dedicated) {
    place = lease(make_connection(s->loop, *s->clock_source, s->config));
  } else {
    auto acquired = co_await s->pool->acquire(options.flow, options.deadline, options.stop);
    if (!acquired) {
      const auto code = static_cast<net_error>(acquired.error().code.value());
      co_return failed(code, s->host, acquired.error().message);
    }
    place = std::move(*acquired);
  }
  const auto c = place.get();
  c->bind(options.stop);
  if (!place.reused()) {
    const auto until = std::min(options.deadline, s->clock_source->now() + limits::connect_timeout);
    const auto opened = co_await c->open(until);
    if (opened.end != io_end::done) co_return open_error(*s, opened);
  }
  co_return std::move(place);
}

task<result<std::unique_ptr<http_exchange>>> open_exchange(shared s, http_request request,
                                                           exchange_options options) {
  if (options.stop.stop_requested()) {
    co_return failed(net_error::cancelled, s->host, "cancelled by the caller");
  }
  if (s->clock_source->now() >= options.deadline) {
    co_return failed(net_error::not_sent, s->host, "the deadline was over before it was sent");
  }
  // A compressing server may hold back watch events to fill its window.
  const request_frame frame{s->host_header, s->config.user_agent, !options.dedicated};
  request.target.insert(0, s->config.path_prefix);
  request.headers.insert(request.headers.end(), s->config.headers.begin(), s->config.headers.end());
  const auto head = request_head(request, frame);
  if (!head) co_return failed(net_error::not_sent, s->host, head.error().message);
  auto place = co_await connected(s, options);
  if (!place) co_return place.error();
  // Waiting for a place and connecting take seconds.
  if (options.may_send && !options.may_send()) {
    place->keep();
    co_return failed(net_error::not_sent, s->host, "held back by the caller");
  }

  const auto c = place->get();
  const auto sent = co_await c->write(&*head, &request.body, options.deadline);
  if (sent.end == io_end::cancelled) {
    co_return failed(net_error::cancelled, s->host, sent.message);
  }
  if (sent.end == io_end::deadline) co_return failed(net_error::no_answer, s->host, sent.message);
  // A server may refuse early and close: its answer says more than the broken pipe.
  auto r = std::make_shared<reading>(std::move(*place), s->host, s->config.header_bytes_max,
                                     request.method == "HEAD");
  while (!r->parser.head_ready()) {
    const auto more = co_await read_more(r, options.deadline);
    if (!more && sent.end != io_end::done) {
      co_return failed(net_error::no_answer, s->host, sent.message);
    }
    if (!more) co_return more.error();
  }
  const auto coding = r->parser.head().find("Content-Encoding");
  if (same_name(coding, "gzip")) {
    r->gzip.emplace();
  } else if (!coding.empty() && !same_name(coding, "identity")) {
    co_return r->abort(net_error::bad_answer,
                       "expected no content coding or gzip, found '" + std::string(coding) + "'");
  }
  co_return std::make_unique<client_exchange>(std::move(r));
}

class client_transport final : public transport {
 public:
  explicit client_transport(shared s) : shared_(std::move(s)) {}

  [[nodiscard]] task<result<std::unique_ptr<http_exchange>>> open(
      http_request request, exchange_options options) override {
    return open_exchange(shared_, std::move(request), std::move(options));
  }
  [[nodiscard]] const std::string& host() const override { return shared_->host; }

 private:
  shared shared_;
};

}  // namespace

std::unique_ptr<transport> make_client_transport(executor loop, const clock& clock_source,
                                                 client_transport_config config) {
  auto s = std::make_shared<shared_parts>();
  const bool usual_port = config.port == (config.tls ? "443" : "80");
  s->host = authority(config.host, config.port);
  s->host_header = usual_port ? authority(config.host, {}) : s->host;
  s->loop = loop;
  s->clock_source = &clock_source;
  s->pool = std::make_shared<connection_pool>(connection_pool::parts{
      loop, &clock_source, config.connections_max, config.idle_max, config.age_max,
      [loop, &clock_source, config] { return make_connection(loop, clock_source, config); }});
  s->config = std::move(config);
  return std::make_unique<client_transport>(std::move(s));
}

}  // namespace oarlock::net
