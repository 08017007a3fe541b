#include "core/controller/work_queue.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace oarlock::controller {

void work_queue::drop_delay(const cache::object_key& key) {
  const auto found = delay_of_.find(key);
  if (found == delay_of_.end()) return;
  delayed_.erase({found->second, key});
  delay_of_.erase(found);
}

bool work_queue::add(const cache::object_key& key, steady_time now) {
  drop_delay(key);
  if (processing_.contains(key)) return dirty_.insert(key).second;
  if (!queued_.insert(key).second) return false;
  ready_.push_back({key, now});
  return true;
}

void work_queue::add_at(const cache::object_key& key, steady_time when, steady_time now) {
  if (when <= now) {
    add(key, now);
    return;
  }
  if (queued_.contains(key) || dirty_.contains(key)) return;
  const auto found = delay_of_.find(key);
  if (found != delay_of_.end() && found->second <= when) return;
  drop_delay(key);
  delayed_.emplace(when, key);
  delay_of_.emplace(key, when);
}

void work_queue::promote(steady_time now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const auto key = delayed_.begin()->second;
    add(key, now);
  }
}

std::optional<work_queue::taken> work_queue::take(steady_time now) {
  promote(now);
  if (ready_.empty()) return std::nullopt;
  auto next = std::move(ready_.front());
  ready_.pop_front();
  queued_.erase(next.key);
  const bool first = processing_.insert(next.key).second;
  OARLOCK_ASSERT(first, "a key is worked on by one worker at a time");
  return taken{std::move(next.key), next.added};
}

bool work_queue::done(const cache::object_key& key, steady_time now) {
  const bool was_taken = processing_.erase(key) == 1;
  OARLOCK_ASSERT(was_taken, "done() answers take()");
  if (dirty_.erase(key) == 0) return false;
  return add(key, now);
}

duration work_queue::next_backoff(const cache::object_key& key) {
  const auto failed = failures_[key]++;
  constexpr std::size_t doublings_max = 18;  // 5 ms * 2^18 is above the cap
  const auto wait = backoff_base * (1LL << std::min(failed, doublings_max));
  return std::min<duration>(wait, backoff_max);
}

std::size_t work_queue::failures(const cache::object_key& key) const {
  const auto found = failures_.find(key);
  return found == failures_.end() ? 0 : found->second;
}

void work_queue::forget(const cache::object_key& key) {
  failures_.erase(key);
}

std::optional<steady_time> work_queue::next_delayed() const {
  if (delayed_.empty()) return std::nullopt;
  return delayed_.begin()->first;
}

void work_queue::clear() {
  ready_.clear();
  queued_.clear();
  dirty_.clear();
  delayed_.clear();
  delay_of_.clear();
}

}  // namespace oarlock::controller
