#pragma once
// The bytes of a request: checked, then written. Pure.
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/net/transport.hpp"

namespace oarlock::net {

/// Header names are compared without case, in ASCII only (RFC 9110 section 5.1).
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);

/// "host:port" for people and the Host header: IPv6 in brackets. An empty port is left out.
[[nodiscard]] std::string authority(std::string_view host, std::string_view port);

/// What the transport adds to every request.
struct request_frame {
  std::string host;  ///< value of the Host header
  std::string user_agent;
  bool accept_gzip = false;
};

/// Start line and headers with the empty line that ends them; the body follows as it is.
/// Refuses with net_error::not_sent whatever could smuggle a second request or header, and headers
/// that the transport itself owns (Host, Content-Length, Connection, Transfer-Encoding).
[[nodiscard]] result<std::string> request_head(const http_request& request,
                                               const request_frame& frame);

}  // namespace oarlock::net
