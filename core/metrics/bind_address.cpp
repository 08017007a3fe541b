#include "core/metrics/bind_address.hpp"

#include <fmt/format.h>
#include <boost/asio/ip/address.hpp>

#include <charconv>

#include "core/metrics/errors.hpp"

namespace oarlock::metrics {

namespace {

error refuse(std::string_view text, const std::string& why) {
  return {metrics_error::bad_address,
          fmt::format("expected \":8443\", \"127.0.0.1:8443\", \"[::1]:8443\" or \"0\" (off), "
                      "found \"{}\": {}",
                      text, why)};
}

}  // namespace

bool bind_address::is_loopback() const {
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(host, ec);
  return !ec && address.is_loopback();
}

std::string bind_address::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format(fmt::runtime(v6 ? "[{}]:{}" : "{}:{}"), host, port);
}

result<std::optional<bind_address>> parse_bind_address(std::string_view text) {
  if (text == "0") return std::optional<bind_address>();
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse(text, "no ':' before a port");
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  bind_address parsed;
  const auto* end = digits.data() + digits.size();
  const auto [stop, ec] = std::from_chars(digits.data(), end, parsed.port);
  if (ec != std::errc() || stop != end || digits.empty()) {
    return refuse(text, "the port is not a number from 0 to 65535");
  }
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  boost::system::error_code bad;
  const auto address = boost::asio::ip::make_address(std::string(host), bad);
  if (!host.empty() && bad) return refuse(text, "the host is not an IP address");
  if (bracketed != (!host.empty() && address.is_v6())) {
    return refuse(text, "an IPv6 address stands in brackets, and nothing else does");
  }
  parsed.host = host;
  return std::optional<bind_address>(parsed);
}

}  // namespace oarlock::metrics
