#pragma once
// One TCP connection, plain or TLS, whose every wait has a deadline and can be cancelled.
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/task.hpp"
#include "core/net/client_transport.hpp"

namespace oarlock::net {

/// Why an operation ended.
enum class io_end {
  done,       ///< it did what it was asked to
  closed,     ///< the peer closed in good order
  failed,     ///< the peer, the network or TLS failed
  deadline,   ///< its time was over
  cancelled,  ///< the stop token fired, or the connection was closed here
  untrusted,  ///< the peer's certificate did not pass
};

struct io_outcome {
  io_end end = io_end::done;
  std::size_t bytes = 0;
  std::string message;  ///< for people; empty when done
};

/// Held by shared_ptr: whoever awaits an operation keeps it alive. One operation at a time.
/// Thread: the loop; only a stop token may fire elsewhere.
class connection {
 public:
  virtual ~connection() = default;
  /// Resolves, connects, shakes hands. The TLS material is read now.
  virtual task<io_outcome> open(steady_time deadline) = 0;
  /// Writes both, the second being the body. They must live until it returns.
  virtual task<io_outcome> write(const std::string* head, const std::string* body,
                                 steady_time deadline) = 0;
  /// Reads what is there into `to`, at least one byte, at most `room`.
  virtual task<io_outcome> read_some(char* to, std::size_t room, steady_time deadline) = 0;
  /// From now until unbind(), `stop` closes the connection and ends its operations.
  virtual void bind(std::stop_token stop) = 0;
  virtual void unbind() = 0;
  /// Open, and the peer neither closed nor sent anything unasked.
  [[nodiscard]] virtual bool idle_and_alive() = 0;
  /// Ends every operation with io_end::cancelled. Idempotent.
  virtual void close() = 0;
};

[[nodiscard]] std::shared_ptr<connection> make_connection(executor loop, const clock& clock_source,
                                                          const client_transport_config& config);

}  // namespace oarlock::net
