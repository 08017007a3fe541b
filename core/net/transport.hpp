#pragma once
// The transport seam: one typed HTTP exchange, above TLS and sockets. The client, the reflectors
// and the elector know only this; core/net implements it with Beast, the simulator with a model.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/base/task.hpp"

namespace oarlock::net {

/// How an exchange fails. What matters to a writer is whether the server may have acted.
enum class net_error {
  /// Nothing was sent: connecting, TLS or a local check failed. Safe to send again.
  not_sent = 1,
  /// The request was sent, at least in part, and no complete answer came: its fate is unknown.
  no_answer,
  /// The answer broke off or broke a limit after its head arrived.
  broken_body,
  /// The answer is not legal HTTP or over a limit.
  bad_answer,
  /// The caller's stop token fired.
  cancelled,
  /// Nothing was sent: the server's certificate is not trusted. Another attempt does not help until
  /// somebody mends it.
  untrusted,
};
[[nodiscard]] boost::system::error_code make_error_code(net_error e);

struct header {
  std::string name;
  std::string value;
};

/// Header names and values and the target are validated: no control characters, no spaces in the
/// target (RFC 9110 section 5.5, RFC 9112 section 3.2).
struct http_request {
  std::string method;
  std::string target;
  std::vector<header> headers;
  std::string body;
};

struct http_head {
  int status = 0;
  std::vector<header> headers;

  /// The first value of a header, compared without case; empty when absent.
  [[nodiscard]] std::string_view find(std::string_view name) const;
};

/// One answer that is being read. Destroying it before its end drops the connection.
/// Thread: the transport's loop.
class http_exchange {
 public:
  virtual ~http_exchange() = default;
  [[nodiscard]] virtual const http_head& head() const = 0;
  /// The next piece of the decoded body as it arrives; nullopt at its clean end. Waits at most
  /// until `deadline`: past it the exchange is dead and the error is broken_body.
  [[nodiscard]] virtual task<result<std::optional<std::string>>> read_some(
      steady_time deadline) = 0;
};

struct exchange_options {
  /// When the head of the answer must be here.
  steady_time deadline;
  std::stop_token stop;
  /// A connection of its own, never pooled: for watches, which live for minutes.
  bool dedicated = false;
  /// On whose behalf: flows share the connections fairly. Empty: this process itself.
  std::string flow{};
  /// Asked once the connection is there, right before the first byte is sent; false: nothing is
  /// sent, and the exchange fails with `not_sent`. Empty: it may.
  std::function<bool()> may_send{};
};

/// Thread: the transport's loop.
class transport {
 public:
  virtual ~transport() = default;
  /// Sends `request` and waits for the head of the answer. Never sends a request twice.
  [[nodiscard]] virtual task<result<std::unique_ptr<http_exchange>>> open(
      http_request request, exchange_options options) = 0;
  /// Where it talks to, for logs and metric labels: "127.0.0.1:6443".
  [[nodiscard]] virtual const std::string& host() const = 0;
};

}  // namespace oarlock::net

template <>
struct boost::system::is_error_code_enum<oarlock::net::net_error> : std::true_type {};
