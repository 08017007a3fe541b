#pragma once
// HTTP proxies: from a kubeconfig's proxy-url, or from the environment as Go programs read it.
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/net/client_transport.hpp"

namespace oarlock::kube {

/// "http://[user:password@]host[:port]", or the same without a scheme. Fails with
/// kube_error::invalid for other schemes (https, socks5), never quoting a password.
[[nodiscard]] result<net::proxy> parse_proxy_url(std::string_view url);

/// True when `list` (NO_PROXY) exempts the server, or it is this machine: comma separated names
/// with their subdomains, ".suffix", "host:port", addresses, CIDR blocks, or "*".
[[nodiscard]] bool is_exempt(std::string_view list, const std::string& host,
                             const std::string& port);

}  // namespace oarlock::kube
