#pragma once
// A small HTTP/1.1 server for probes and metrics: GET and HEAD on exact paths, with a limit on
// everything; for requests of pods also other methods, with bodies, on every path. The only place
// where Beast's server side is compiled.
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/result.hpp"
#include "core/base/task.hpp"
#include "core/metrics/bind_address.hpp"
#include "core/metrics/server_tls.hpp"

namespace oarlock::metrics {

/// What a handler may look at.
struct http_question {
  std::string path;
  std::string query;          ///< without the '?'
  std::string authorization;  ///< the header's value; empty when absent
  std::string method = "GET";
  std::string content_type = {};  ///< the header's value; empty when absent
  std::string body = {};          ///< where bodies are taken

  /// The query has this parameter, with any value: "verbose" of "?verbose" and "?verbose=1".
  [[nodiscard]] bool has(std::string_view parameter) const;
};

struct http_answer {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  /// Sent with a 401.
  std::string www_authenticate = {};
  std::optional<std::chrono::seconds> retry_after = {};
};

/// Runs on the server's loop and must not block it. `stop` fires when the time of the request is
/// over or the server stops; the handler then returns soon.
using http_handler = std::function<task<http_answer>(http_question, std::stop_token stop)>;

struct http_server_config {
  std::string name;  ///< "metrics" or "probes": for logs and metric labels
  bind_address where;
  /// Plain HTTP when null.
  std::shared_ptr<server_tls> tls;
  std::size_t connections_max = 64;
  std::size_t header_bytes_max = 8U << 10U;
  /// More than 0: POST, PUT and DELETE are taken too, with bodies of so many bytes.
  std::size_t body_bytes_max = 0;
  std::size_t requests_per_connection_max = 100;
  duration read_timeout = std::chrono::seconds(5);
  duration handler_timeout = std::chrono::seconds(10);
  duration write_timeout = std::chrono::seconds(10);
  /// How long a kept-alive connection may wait for its next request.
  duration idle_timeout = std::chrono::seconds(60);
};

/// Thread: its loop, for every call. Destroy it before the loop.
class http_server {
 public:
  http_server(executor loop, metric_registry& metrics, http_server_config config);
  ~http_server();
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// Before start().
  void handle(std::string path, http_handler handler);
  /// Before start(): of all paths that have none of their own.
  void handle_rest(http_handler handler);
  /// Binds and begins to accept. Errors: metrics_error::cannot_listen, with the address and a
  /// remedy.
  [[nodiscard]] result<> start();
  /// Where it listens, with the port that was chosen for 0.
  [[nodiscard]] const bind_address& where() const;
  /// Closes the listener and every connection. Idempotent.
  void stop();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::metrics
