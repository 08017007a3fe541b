#pragma once
// HTTP/1.1 over TLS with a connection pool: the transport of production.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/limits.hpp"
#include "core/net/transport.hpp"

namespace oarlock::net {

/// What TLS needs, read anew for each new connection so that rotated files are picked up.
struct tls_material {
  std::string ca_pem;
  std::string client_cert_pem;
  std::string client_key_pem;
  /// The name that the server's certificate must carry; the host's own when empty.
  std::string server_name;
  bool verify_peer = true;
};

/// A proxy on the way, asked for a tunnel with CONNECT (RFC 9110 section 9.3.6).
struct proxy {
  std::string host;
  std::string port;
  std::string authorization;  ///< value of Proxy-Authorization; empty: none
};

struct client_transport_config {
  std::string host;
  std::string port;
  /// Plain HTTP when false: for tests and local proxies only.
  bool tls = true;
  /// Put before every target: "/k8s/clusters/c-1". Starts with '/', does not end with it; or empty.
  std::string path_prefix;
  std::optional<proxy> via;
  std::function<result<tls_material>()> load_tls;
  /// Told how long each resolution of a name took, failed ones too. Empty: nobody wants to know.
  std::function<void(duration)> resolved{};
  /// Of all flows together; one flow alone uses at most half of them.
  std::size_t connections_max = limits::connections_max;
  std::size_t header_bytes_max = limits::response_header_bytes_max;
  /// An idle pooled connection is closed after this long.
  duration idle_max = std::chrono::seconds(90);
  /// A pooled connection takes no new request after this long, so that rotated certificates and
  /// authorities come into use though the old ones still work.
  duration age_max = std::chrono::minutes(5);
  /// Sent with each request.
  std::vector<header> headers{};
  std::string user_agent = "oarlock";
};

/// `loop` owns every socket; `clock_source` outlives the transport.
[[nodiscard]] std::unique_ptr<transport> make_client_transport(executor loop,
                                                               const clock& clock_source,
                                                               client_transport_config config);

}  // namespace oarlock::net
