#pragma once
// From the event sources of a plugin to the queues of its controllers.
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/controller/controller.hpp"
#include "core/plugin/event_inbox.hpp"

namespace oarlock::daemon {

/// Thread: the stream loop.
class key_feed : public std::enable_shared_from_this<key_feed> {
 public:
  using targets = std::map<std::string, controller::controller*>;  ///< by name; until close()

  /// Takes from `inbox` whenever it says that something waits.
  [[nodiscard]] static std::shared_ptr<key_feed> open(std::shared_ptr<plugin::event_inbox> inbox,
                                                      targets to, executor loop,
                                                      timers& timer_source);
  /// Nothing is taken after it.
  void close();

 private:
  key_feed(std::shared_ptr<plugin::event_inbox> inbox, targets to, executor loop,
           timers& timer_source)
      : inbox_(std::move(inbox)),
        to_(std::move(to)),
        loop_(std::move(loop)),
        timers_(timer_source) {}

  void pump();
  static task<> sleep_then_pump(std::shared_ptr<key_feed> self, duration wait);

  const std::shared_ptr<plugin::event_inbox> inbox_;
  targets to_;
  const executor loop_;
  timers& timers_;
  std::stop_source closed_;
};

}  // namespace oarlock::daemon
