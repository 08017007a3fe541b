#pragma once
// TLS settings for one connection, from PEM. Heavy include: only connection.cpp and tests use it.
#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "core/net/client_transport.hpp"

namespace oarlock::net {

/// TLS 1.2 or newer, the trust anchors and the client certificate of `material`. Keys may be
/// PKCS#8, PKCS#1 or SEC1, never encrypted. Fails with net_error::not_sent.
[[nodiscard]] result<std::unique_ptr<boost::asio::ssl::context>> make_tls_context(
    const tls_material& material);

/// Makes the handshake of `ssl` fail unless the peer's certificate carries `name`, a DNS name or an
/// IP address, as a subject alternative name (the common name does not count: RFC 9525). Sends SNI
/// for DNS names only (RFC 6066 section 3).
[[nodiscard]] result<> expect_peer(SSL* ssl, const std::string& name, bool verify);

/// Why the handshake did not trust the peer; empty when it did or came not so far.
[[nodiscard]] std::string trust_failure(SSL* ssl);

}  // namespace oarlock::net
