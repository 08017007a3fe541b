#pragma once
// What /healthz and /readyz say.
#include <atomic>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/metrics/http_server.hpp"

namespace oarlock::daemon {

/// One line of an answer.
struct check {
  std::string name;
  std::string trouble = {};  ///< empty: ok
  std::string note = {};     ///< shown behind ok
  bool gates = true;         ///< a failure fails the whole answer
};

/// The answer as the API server words its own: "[+]name ok", "[-]name failed: why", and a last line
/// "<endpoint> check passed|failed". Status 200 or 503.
[[nodiscard]] metrics::http_answer answer_of(std::string_view endpoint,
                                             const std::vector<check>& checks);

/// Sees whether a loop still turns: posts to it now and then and looks how old the last beat is. A
/// loop that went silent is logged once, and again after it has answered.
class watchdog {
 public:
  static constexpr auto period = std::chrono::seconds(5);
  static constexpr auto silence_max = std::chrono::seconds(30);

  /// `name`: the loop's thread.
  watchdog(std::string name, executor watched, const clock& clock_source);
  /// Until `stop`. On another loop than the watched one.
  task<> run(timers& timer_source, std::stop_token stop);
  /// Posts one beat, unless the last is still on its way. Thread: that of run().
  void beat();
  /// Empty while the loop answers. Thread: any.
  [[nodiscard]] std::string trouble() const;

 private:
  struct state {
    std::atomic<std::int64_t> last_ns{0};
    std::atomic<bool> pending{false};
  };
  void say_once();

  const std::string name_;
  executor watched_;
  const clock& clock_;
  bool said_ = false;
  std::shared_ptr<state> state_ = std::make_shared<state>();
};

}  // namespace oarlock::daemon
