#pragma once
// Test support: certificates made in the process, and a server on 127.0.0.1 that does exactly what
// a test's script says, byte for byte. Blocking, on threads of its own.
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace oarlock::net::testing {

/// A key and its certificate, as PEM.
struct identity {
  std::string cert_pem;
  std::string key_pem;      ///< PKCS#8
  std::string key_old_pem;  ///< PKCS#1 for RSA, SEC1 (with parameters in front) for EC
};

enum class key_kind { rsa, ec };

/// A certificate authority that lives as long as its test.
class authority_for_tests {
 public:
  explicit authority_for_tests(key_kind kind = key_kind::ec);
  ~authority_for_tests();
  authority_for_tests(const authority_for_tests&) = delete;
  authority_for_tests& operator=(const authority_for_tests&) = delete;

  [[nodiscard]] const std::string& pem() const { return pem_; }
  /// `names` as OpenSSL spells them: "DNS:api.test,IP:127.0.0.1"; empty: no names at all.
  /// `valid_seconds` below zero: expired.
  [[nodiscard]] identity issue(key_kind kind, const std::string& names, long valid_seconds = 3600);

 private:
  EVP_PKEY* key_;
  X509* cert_;
  long serial_ = 1;
  std::string pem_;
};

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
