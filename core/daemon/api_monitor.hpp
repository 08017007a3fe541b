#pragma once
// Is the API server there? Asked now and then, so that /readyz can say why not.
#include <functional>
#include <stop_token>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/guarded.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/kube/client.hpp"
#include "core/net/transport.hpp"

namespace oarlock::daemon {

/// Thread: its transport's loop, unless a method says otherwise.
class api_monitor {
 public:
  struct parts {
    net::transport* transport;
    kube::credentials* identity;  ///< may be null
    const clock* clock_source;
    timers* timer_source;
    std::function<void()> on_first_answer;
    std::function<void()> on_recovery;  ///< it answers again
  };
  explicit api_monitor(parts p) : p_(std::move(p)) {}

  /// Until `stop`: every second until the server answers, every 10 s after.
  task<> run(std::stop_token stop);
  /// Why the server cannot be used; empty while it can. Thread: any.
  [[nodiscard]] std::string trouble() const;

 private:
  task<result<std::string>> ask(std::stop_token stop);
  void note(const result<std::string>& version);

  parts p_;
  bool answered_ = false;
  guarded<std::string> trouble_{std::string("not asked yet")};
};

}  // namespace oarlock::daemon
