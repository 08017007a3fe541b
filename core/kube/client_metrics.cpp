#include "core/kube/client_metrics.hpp"

#include <vector>

namespace oarlock::kube {

namespace {

// client-go's.
const std::vector<double> latency_buckets{0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60};
const std::vector<double> size_buckets{64,    256,    512,     1024,    4096,    16384,
                                       65536, 262144, 1048576, 4194304, 16777216};

double seconds(duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace

client_metrics::of_method& client_metrics::of(const std::string& method) {
  const auto found = methods_.find(method);
  if (found != methods_.end()) return found->second;
  const metric_labels labels{{"verb", method}, {"host", host_}};
  return methods_
      .emplace(method,
               of_method{registry_.make_histogram(
                             "rest_client_request_duration_seconds",
                             "Seconds until the head of the answer, by verb and host.", labels,
                             latency_buckets),
                         registry_.make_histogram("rest_client_request_size_bytes",
                                                  "Bytes of request bodies, by verb and host.",
                                                  labels, size_buckets),
                         registry_.make_histogram(
                             "rest_client_response_size_bytes",
                             "Bytes of the bodies of answers but streams, by verb and host.",
                             labels, size_buckets)})
      .first->second;
}

void client_metrics::sent(const std::string& method, const std::string& code, duration took,
                          std::size_t bytes) {
  auto& requests = requests_[{method, code}];
  if (requests == nullptr) {
    requests = &registry_.make_counter("rest_client_requests_total",
                                       "HTTP requests by status code, method and host.",
                                       {{"code", code}, {"method", method}, {"host", host_}});
  }
  requests->add();
  auto& its = of(method);
  its.seconds.observe(seconds(took));
  its.request_bytes.observe(static_cast<double>(bytes));
}

void client_metrics::answered(const std::string& method, std::size_t bytes) {
  of(method).response_bytes.observe(static_cast<double>(bytes));
}

void client_metrics::retried(const std::string& method, const std::string& code) {
  registry_
      .make_counter("rest_client_request_retries_total",
                    "Requests sent again, by the status code that asked for it, verb and host.",
                    {{"code", code}, {"verb", method}, {"host", host_}})
      .add();
}

histogram& client_metrics::turns(const std::string& method) {
  return registry_.make_histogram(
      "rest_client_rate_limiter_duration_seconds",
      "Seconds that requests waited for --kube-api-qps, by verb and host.",
      {{"verb", method}, {"host", host_}}, latency_buckets);
}

void client_metrics::waited_for_a_turn(const std::string& method, duration how_long) {
  turns(method).observe(seconds(how_long));
}

void client_metrics::expect_turns() {
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"})
    turns(method);
}

}  // namespace oarlock::kube
