#pragma once
// Test support: a server on 127.0.0.1 that does exactly what a test's script says, byte for byte.
// Blocking, on threads of its own.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/certificates.hpp"

namespace oarlock::net::testing {

using test::authority_for_tests;
using test::identity;
using test::key_kind;

/// One accepted connection, in the hands of a script. Every call blocks.
class peer {
 public:
  virtual ~peer() = default;
  /// One request: start line and headers, then as much body as Content-Length says. Empty when the
  /// client closed.
  virtual std::string read_request() = 0;
  /// False when the client is gone.
  virtual bool write(const std::string& bytes) = 0;
  /// Waits until the client closes, swallowing what it sends.
  virtual void wait_for_close() = 0;
  /// Closes without TLS close_notify.
  virtual void cut() = 0;
  /// The subject common name of the client's certificate; empty without one.
  virtual std::string client_name() = 0;
};

struct server_tls {
  identity own;
  std::string client_ca_pem;  ///< ask for client certificates of this authority; empty: do not ask
};

/// Runs `script` for each connection (its number counts from 0), until it is destroyed.
class loopback_server {
 public:
  using script = std::function<void(peer&, int)>;
  explicit loopback_server(script s);
  loopback_server(script s, server_tls tls);
  ~loopback_server();
  loopback_server(const loopback_server&) = delete;
  loopback_server& operator=(const loopback_server&) = delete;

  [[nodiscard]] std::string port() const;
  [[nodiscard]] int connections() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// "HTTP/1.1 200 OK" with a Content-Length.
[[nodiscard]] std::string ok_answer(const std::string& body, const std::string& headers = {});

}  // namespace oarlock::net::testing
