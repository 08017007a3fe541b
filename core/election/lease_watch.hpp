#pragma once
// A watch on the one Lease, so that a process that stands by acts at a release and not at its next
// poll.
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/random.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/election/lease.hpp"
#include "core/kube/client.hpp"

namespace oarlock::election {

/// Thread: the loop it runs on, which must be the client's.
class lease_watch {
 public:
  struct parts {
    kube::client* client;
    const clock* clock_source;
    timers* timer_source;
    random_source* random;
    std::string lease_name;
    std::string lease_namespace;
    duration silence_max;   ///< a stream that says nothing for so long is opened anew
    duration retry_period;  ///< between two tries to open it
    std::function<void(lease)> on_change;
  };

  /// Tells each state of the Lease, beginning with the present one, until `stop`. Refused, it tries
  /// again once a minute: the elector polls meanwhile. Keeps what it needs alive.
  static task<> run(std::shared_ptr<const parts> p, std::stop_token stop);
};

}  // namespace oarlock::election
