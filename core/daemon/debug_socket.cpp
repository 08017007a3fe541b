#include "core/daemon/debug_socket.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "core/base/log.hpp"

namespace oarlock::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;
using protocol = asio::local::stream_protocol;

constexpr std::size_t request_bytes_max = 8192;
constexpr int backlog = 8;
constexpr auto patience = 5s;
constexpr auto accept_pause = 1s;  // when there are no descriptors left
constexpr auto awaited = asio::as_tuple(asio::use_awaitable_t<executor>());

std::string answer(std::string_view status, std::string_view type, const std::string& body) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      status, type, body.size(), body);
}

error cannot(const fs::path& path, const std::string& why) {
  return {boost::system::errc::make_error_code(boost::system::errc::address_in_use),
          fmt::format("debug-socket: cannot listen on {}: {}", path.string(), why)};
}

}  // namespace

struct debug_socket::state {
  executor loop;
  fs::path path;
  source dump;
  protocol::acceptor acceptor;
  std::shared_ptr<protocol::socket> served;
  bool stopped = false;

  state(executor l, fs::path p, source d)
      : loop(std::move(l)), path(std::move(p)), dump(std::move(d)), acceptor(loop) {}

  static task<> accept(std::shared_ptr<state> self);
  static task<> serve(std::shared_ptr<state> self, std::shared_ptr<protocol::socket> peer);
  result<> clear_place() const;
};

// What an earlier process left behind does not answer.
result<> debug_socket::state::clear_place() const {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) return cannot(path, "expected a free name, found a file");
  protocol::socket probe(loop);
  boost::system::error_code ec;
  probe.connect(protocol::endpoint(path.string()), ec);
  if (!ec) return cannot(path, "another process listens there");
  std::error_code ignored;
  fs::remove(path, ignored);
  return {};
}

task<> debug_socket::state::serve(std::shared_ptr<state> self,
                                  std::shared_ptr<protocol::socket> peer) {
  std::string request;
  const auto [ec, size] = co_await asio::async_read_until(
      *peer, asio::dynamic_buffer(request, request_bytes_max), "\r\n\r\n", awaited);
  if (ec) co_return;
  std::string reply;
  if (request.starts_with("GET ")) {
    reply = answer("200 OK", "application/json", co_await self->dump());
  } else {
    reply = answer("405 Method Not Allowed", "text/plain", "expected GET\n");
  }
  co_await asio::async_write(*peer, asio::buffer(reply), awaited);
}

task<> debug_socket::state::accept(std::shared_ptr<state> self) {
  while (!self->stopped) {
    auto peer = std::make_shared<protocol::socket>(self->loop);
    const auto [ec] = co_await self->acceptor.async_accept(*peer, awaited);
    asio::steady_timer timer(self->loop);
    if (self->stopped) co_return;
    if (ec) {
      timer.expires_after(accept_pause);
      co_await timer.async_wait(awaited);
      continue;
    }
    self->served = peer;
    timer.expires_after(patience);
    timer.async_wait([peer](boost::system::error_code cancelled) {
      if (cancelled) return;
      boost::system::error_code ignored;
      peer->close(ignored);
    });
    co_await serve(self, peer);
    boost::system::error_code ignored;
    peer->close(ignored);
  }
}

debug_socket::debug_socket(executor loop, fs::path path, source dump)
    : state_(std::make_shared<state>(std::move(loop), std::move(path), std::move(dump))) {}

debug_socket::~debug_socket() {
  stop();
}

result<> debug_socket::start() {
  auto& s = *state_;
  if (s.path.string().size() >= sizeof(sockaddr_un{}.sun_path)) {
    return cannot(s.path, fmt::format("expected a path of less than {} bytes",
                                      sizeof(sockaddr_un{}.sun_path)));
  }
  if (auto cleared = s.clear_place(); !cleared) return cleared;
  boost::system::error_code ec;
  s.acceptor.open(protocol(), ec);
  // The mode must be right from the start, not a moment later.
  const auto mask = ::umask(0177);
  if (!ec) s.acceptor.bind(protocol::endpoint(s.path.string()), ec);
  ::umask(mask);
  if (!ec) s.acceptor.listen(backlog, ec);
  if (ec) return cannot(s.path, ec.message());
  log_info("listening", {{"server", "debug"}, {"address", s.path.string()}});
  spawn(s.loop, state::accept(state_));
  return {};
}

void debug_socket::stop() {
  auto& s = *state_;
  if (std::exchange(s.stopped, true)) return;
  boost::system::error_code ignored;
  const bool listened = s.acceptor.is_open();
  s.acceptor.close(ignored);
  if (s.served) s.served->close(ignored);
  std::error_code gone;
  if (listened) fs::remove(s.path, gone);
}

}  // namespace oarlock::daemon
