#include "core/kube/proxy.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include "core/base/base64.hpp"
#include "core/kube/errors.hpp"
#include "core/kube/files.hpp"
#include "core/kube/url.hpp"

namespace oarlock::kube {

namespace {

namespace ip = boost::asio::ip;

error not_a_proxy(const std::string& found) {
  return {kube_error::invalid,
          "proxy: expected http://[user:password@]host[:port], found " + found};
}

bool contains(std::string_view block, const ip::address& address) {
  boost::system::error_code failed;
  if (address.is_v4()) {
    const auto net = ip::make_network_v4(block, failed);
    return !failed && (net.hosts().find(address.to_v4()) != net.hosts().end() ||
                       net.network() == address.to_v4());
  }
  const auto net = ip::make_network_v6(block, failed);
  return !failed && net.hosts().find(address.to_v6()) != net.hosts().end();
}

bool matches(std::string entry, const std::string& host, const std::string& port,
             const std::optional<ip::address>& address) {
  if (entry == "*") return true;
  if (address && entry.find('/') != std::string::npos) return contains(entry, *address);
  const auto colon = entry.rfind(':');
  const bool has_port = colon != std::string::npos && entry.find(':') == colon;
  if (has_port && entry.substr(colon + 1) != port) return false;
  if (has_port) entry.resize(colon);
  if (entry.starts_with("*.")) entry.erase(0, 1);
  if (entry.starts_with('.')) return host.ends_with(entry);
  return !entry.empty() && (host == entry || (!address && host.ends_with("." + entry)));
}

}  // namespace

result<net::proxy> parse_proxy_url(std::string_view url) {
  const auto scheme = url.find("://");
  const auto name = url.substr(0, scheme == std::string_view::npos ? 0 : scheme);
  if (!name.empty() && name != "http") return not_a_proxy("the scheme " + std::string(name));
  auto rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  net::proxy out;
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    auto user = percent_decoded(rest.substr(0, at));
    if (!user) return not_a_proxy("user information that is not percent-encoded");
    out.authorization = "Basic " + base64_encode(*user);
    rest = rest.substr(at + 1);
  }
  const auto server = parse_server_url("http://" + std::string(rest));
  if (!server) return not_a_proxy("no host and port in it");
  if (!server->prefix.empty()) return not_a_proxy("a path");
  out.host = server->host;
  out.port = server->port;
  return out;
}

bool is_exempt(std::string_view list, const std::string& host, const std::string& port) {
  boost::system::error_code no_address;
  const auto parsed = ip::make_address(host, no_address);
  const auto address = no_address ? std::nullopt : std::optional(parsed);
  if (host == "localhost" || (address && address->is_loopback())) return true;
  for (std::size_t at = 0; at <= list.size();) {
    const auto end = std::min(list.find(',', at), list.size());
    if (matches(trimmed(std::string(list.substr(at, end - at))), host, port, address)) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace oarlock::kube
