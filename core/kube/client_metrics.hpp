#pragma once
// What a client counts, under client-go's names.
#include <map>
#include <string>
#include <utility>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"

namespace oarlock::kube {

/// Labels are bounded: methods, status codes, one host. Thread: the client's loop.
class client_metrics {
 public:
  client_metrics(metric_registry& registry, std::string host)
      : registry_(registry), host_(std::move(host)) {}

  /// One sending; `code` is the status, or "<error>" where no head came. `took`: until the head.
  void sent(const std::string& method, const std::string& code, duration took, std::size_t bytes);
  void answered(const std::string& method, std::size_t bytes);
  /// A call is about to be sent again because of `code`.
  void retried(const std::string& method, const std::string& code);
  void waited_for_a_turn(const std::string& method, duration how_long);
  /// There is a rate limit: the metric of its waits is there from the start.
  void expect_turns();

 private:
  struct of_method {
    histogram& seconds;
    histogram& request_bytes;
    histogram& response_bytes;
  };
  of_method& of(const std::string& method);
  histogram& turns(const std::string& method);

  metric_registry& registry_;
  const std::string host_;
  // Found by their labels only once: a sending happens thousands of times a second.
  std::map<std::string, of_method> methods_;
  std::map<std::pair<std::string, std::string>, counter*> requests_;
};

}  // namespace oarlock::kube
