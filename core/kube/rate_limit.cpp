#include "core/kube/rate_limit.hpp"

#include <algorithm>
#include <deque>
#include <map>

#include "core/base/mutant.hpp"
#include "core/base/token_bucket.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::kube {

namespace {

struct waiter {
  std::stop_source wake;
  bool has_turn = false;
};
using waiter_ptr = std::shared_ptr<waiter>;

}  // namespace

struct rate_limit::state : std::enable_shared_from_this<rate_limit::state> {
  explicit state(parts p)
      : parts_(std::move(p)), bucket(parts_.per_second, static_cast<double>(parts_.burst)) {}

  // The first to wait of the flow after the one that had the last turn.
  waiter_ptr take_next();
  void forget(const std::string& flow, const waiter_ptr& w);
  static task<> serve(std::shared_ptr<state> self);

  const parts parts_;
  token_bucket bucket;
  std::map<std::string, std::deque<waiter_ptr>> waiting;
  std::string last_flow;
  bool serving = false;
};

waiter_ptr rate_limit::state::take_next() {
  auto next = waiting.upper_bound(OARLOCK_MUTANT("turns_not_by_flow") ? "" : last_flow);
  if (next == waiting.end()) next = waiting.begin();
  last_flow = next->first;
  auto first = next->second.front();
  next->second.pop_front();
  if (next->second.empty()) waiting.erase(next);
  return first;
}

void rate_limit::state::forget(const std::string& flow, const waiter_ptr& w) {
  const auto found = waiting.find(flow);
  if (found == waiting.end()) return;
  std::erase(found->second, w);
  if (found->second.empty()) waiting.erase(found);
}

task<> rate_limit::state::serve(std::shared_ptr<state> self) {
  while (!self->waiting.empty()) {
    const auto now = self->parts_.clock_source->now();
    if (!self->bucket.take(now, duration::zero())) {
      (void)co_await self->parts_.timer_source->sleep_for(self->bucket.wait(now), {});
      continue;
    }
    const auto next = self->take_next();
    next->has_turn = true;
    next->wake.request_stop();
  }
  self->serving = false;
}

rate_limit::rate_limit(parts p) : state_(std::make_shared<state>(std::move(p))) {}
rate_limit::~rate_limit() = default;

task<result<>> rate_limit::turn(std::string flow, steady_time deadline, std::stop_token stop) {
  const auto self = state_;
  if (self->waiting.empty() &&
      self->bucket.take(self->parts_.clock_source->now(), duration::zero())) {
    co_return result<>();
  }
  const auto w = std::make_shared<waiter>();
  self->waiting[flow].push_back(w);
  if (!std::exchange(self->serving, true)) spawn(self->parts_.loop, state::serve(self));
  const std::stop_callback cancelled(stop, [w] { w->wake.request_stop(); });
  const auto left =
      std::max(duration::zero(), duration(deadline - self->parts_.clock_source->now()));
  (void)co_await self->parts_.timer_source->sleep_for(left, w->wake.get_token());
  if (w->has_turn) co_return result<>();
  self->forget(flow, w);
  if (stop.stop_requested()) co_return error{kube_error::cancelled, "cancelled by the caller"};
  co_return error{
      kube_error::throttled,
      "expected a turn under --kube-api-qps before the deadline, found too many before"};
}

}  // namespace oarlock::kube
