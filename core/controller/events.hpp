#pragma once
// Events (events.k8s.io/v1) about primary objects: what happened, for people who use kubectl.
#include <cstddef>
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/task.hpp"
#include "core/base/timers.hpp"
#include "core/cache/object.hpp"
#include "core/kube/client.hpp"
#include "core/kube/resource.hpp"

namespace oarlock::controller {

struct event_note {
  std::string plugin;
  kube::resource regarding_resource;
  cache::object_key regarding;
  std::string regarding_uid;
  bool warning = false;
  std::string reason;
  std::string action;  ///< what the controller was doing: "Reconcile", "Apply", ...
  std::string note;
};

/// Sends events in the background; never delays a reconcile. A repetition of one note within
/// 6 minutes becomes a series (events.k8s.io/v1) and is sent at most once in 30 s. New ones about
/// one object are limited as in client-go's EventSourceObjectSpamFilter, keyed by plugin, object
/// and type: a burst, then one in 5 minutes. The queue is bounded: past limits::event_queue_max the
/// newest is dropped. What is not sent is counted.
class event_recorder {
 public:
  /// Series and spam limits that are remembered; past it the one that was silent longest goes.
  static constexpr std::size_t series_max = 4096;
  static constexpr int burst = 25;
  struct parts {
    executor loop;
    kube::client* client;
    const clock* clock_source;
    timers* timer_source;
    metric_registry* metrics;
    std::string instance;  ///< the pod or host that reports
    bool enabled = true;   ///< else nothing is recorded
  };
  explicit event_recorder(parts p);
  ~event_recorder();
  event_recorder(const event_recorder&) = delete;
  event_recorder& operator=(const event_recorder&) = delete;

  /// Thread: the stream loop.
  void record(event_note note);
  /// Waits until what is queued is sent, at most until `deadline`. Thread: the stream loop.
  task<> flush(steady_time deadline);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::controller
