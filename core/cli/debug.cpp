#include "core/cli/debug.hpp"

#include <fmt/format.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>

namespace oarlock::cli {

namespace {

constexpr std::size_t answer_bytes_max = 64U << 20U;

error failed(const std::string& path, const std::string& why) {
  return {boost::system::errc::make_error_code(boost::system::errc::not_connected),
          fmt::format("expected an oarlockd with --debug-socket={}, {}", path, why)};
}

}  // namespace

result<std::string> debug_dump(const std::string& socket_path) {
  boost::asio::local::stream_protocol::iostream peer;
  peer.expires_after(std::chrono::seconds(10));
  try {
    peer.connect(boost::asio::local::stream_protocol::endpoint(socket_path));
  } catch (const boost::system::system_error& e) {
    return failed(socket_path, std::string("found: ") + e.code().message());
  }
  if (!peer) return failed(socket_path, "found: " + peer.error().message());
  peer << "GET / HTTP/1.1\r\nHost: oarlockd\r\n\r\n" << std::flush;
  std::string text;
  for (char chunk[4096]; text.size() < answer_bytes_max;) {
    peer.read(chunk, sizeof chunk);
    text.append(chunk, static_cast<std::size_t>(peer.gcount()));
    if (!peer) break;
  }
  const auto body = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 200 ") || body == std::string::npos) {
    return failed(socket_path, "which did not answer with a dump");
  }
  return text.substr(body + 4);
}

}  // namespace oarlock::cli
