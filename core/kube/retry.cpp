#include "core/kube/retry.hpp"

#include <algorithm>

#include "core/base/mutant.hpp"
#include "core/kube/status.hpp"

namespace oarlock::kube {

namespace {

constexpr duration first_delay = std::chrono::milliseconds(100);
constexpr duration delay_max = std::chrono::seconds(10);

bool refused_before_acting(int http_status, std::string_view body) {
  const auto status = parse_status(body);
  if (!status) return false;
  if (http_status == 503) return true;
  if (http_status != 500) return false;
  // The API server reports a store that did not answer in time as an internal error, although the
  // store may have acted.
  const auto says = [&](std::string_view text) {
    return status->message.find(text) != std::string::npos;
  };
  return !says("etcdserver:") && !says("context deadline exceeded") && !says("timed out");
}

}  // namespace

failure transport_failure(const error& e, bool is_write) {
  return {from_net(e, is_write), e.code == net::net_error::not_sent};
}

failure answer_failure(int http_status, std::string_view body, std::string_view retry_after_header,
                       bool is_write) {
  failure out{decode_status(http_status, body, retry_after_header), false, http_status};
  const bool server_side = http_status >= 500 || http_status == 408;
  if (is_write && server_side && !refused_before_acting(http_status, body)) {
    out.why.code = OARLOCK_MUTANT("lost_answer_is_a_failure") ? kube_error::unavailable
                                                              : kube_error::unknown_outcome;
  }
  return out;
}

std::optional<duration> retry_delay(const failure& f, bool is_write, int attempt) {
  if (attempt >= attempts_max) return {};
  const bool throttled = f.why.code == kube_error::throttled;
  const bool replay =
      OARLOCK_MUTANT("unknown_write_replayed") && f.why.code == kube_error::unknown_outcome;
  const bool again = is_write
                         ? replay || f.nothing_sent || (throttled && f.why.retry_after.has_value())
                         : throttled || f.why.code == kube_error::unavailable;
  if (!again || f.why.code == kube_error::cancelled) return {};
  duration delay = first_delay;
  for (int i = 1; i < attempt && delay < delay_max; ++i)
    delay *= 2;
  delay = std::min(delay, delay_max);
  // "Retry-After: 0" still leaves the server the pause of the backoff.
  if (f.why.retry_after && !OARLOCK_MUTANT("retry_after_ignored"))
    delay = std::max<duration>(delay, *f.why.retry_after);
  return delay;
}

}  // namespace oarlock::kube
