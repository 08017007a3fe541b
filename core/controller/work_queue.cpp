#include "core/controller/work_queue.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/mutant.hpp"

namespace oarlock::controller {

namespace {

constexpr int rank_of(priority p) {
  return -static_cast<int>(p);
}

}  // namespace

// The higher of `p` and the priority that the delayed key had.
priority work_queue::drop_delay(const cache::object_key& key, priority p) {
  const auto found = delay_of_.find(key);
  if (found == delay_of_.end()) return p;
  p = std::max(p, found->second.level);
  delayed_.erase({found->second.when, key});
  delay_of_.erase(found);
  return p;
}

bool work_queue::add(const cache::object_key& key, steady_time now, priority p) {
  p = drop_delay(key, p);
  if (processing_.contains(key)) {
    const auto [dirty, first] = dirty_.try_emplace(key, p);
    dirty->second = std::max(dirty->second, p);
    return first;
  }
  const auto queued = queued_.find(key);
  if (queued != queued_.end() && queued->second.rank <= rank_of(p)) return false;
  const place at{rank_of(p), arrivals_++};
  if (p == priority::low) ++low_ready_;
  if (queued == queued_.end()) {
    ready_.emplace(at, taken{key, now});
    queued_.emplace(key, at);
    return true;
  }
  // It overtakes, and has waited since it was first ready.
  --low_ready_;
  auto node = ready_.extract(queued->second);
  node.key() = at;
  ready_.insert(std::move(node));
  queued->second = at;
  return false;
}

void work_queue::add_at(const cache::object_key& key, steady_time when, steady_time now) {
  const auto work = processing_.find(key);
  const priority p = work == processing_.end() ? priority::normal : work->second.level;
  if (when <= now) {
    add(key, now, p);
    return;
  }
  if (queued_.contains(key) || dirty_.contains(key)) return;
  const auto found = delay_of_.find(key);
  if (found != delay_of_.end() && found->second.when <= when) return;
  const priority level = drop_delay(key, p);
  delayed_.emplace(when, key);
  delay_of_.emplace(key, delay{when, level});
}

void work_queue::promote(steady_time now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const auto key = delayed_.begin()->second;
    add(key, now, delay_of_.at(key).level);
  }
}

std::optional<work_queue::taken> work_queue::take(steady_time now) {
  promote(now);
  if (ready_.empty()) return std::nullopt;
  auto node = ready_.extract(ready_.begin());
  const bool low = node.key().rank == rank_of(priority::low);
  if (low) --low_ready_;
  taken next = std::move(node.mapped());
  queued_.erase(next.key);
  const auto level = low ? priority::low : priority::normal;
  const bool first = processing_.emplace(next.key, work{level, now}).second;
  OARLOCK_ASSERT(first, "a key is worked on by one worker at a time");
  return next;
}

bool work_queue::done(const cache::object_key& key, steady_time now) {
  const bool was_taken = processing_.erase(key) == 1;
  OARLOCK_ASSERT(was_taken, "done() answers take()");
  const auto dirty = dirty_.extract(key);
  if (dirty.empty()) return false;
  return add(key, now, dirty.mapped());
}

std::size_t work_queue::depth(priority p) const {
  return p == priority::low ? low_ready_ : ready_.size() - low_ready_;
}

duration work_queue::next_backoff(const cache::object_key& key, steady_time now) {
  const auto failed = failures_[key]++;
  constexpr std::size_t doublings_max = 18;  // 5 ms * 2^18 is above the cap
  const auto own = backoff_base * (1LL << std::min(failed, doublings_max));
  const auto turn = *retries_.take(now, duration::max());
  if (OARLOCK_MUTANT("retries_have_no_bucket")) return std::min<duration>(own, backoff_max);
  return std::max(std::min<duration>(own, backoff_max), turn);
}

void work_queue::forget(const cache::object_key& key) {
  failures_.erase(key);
}

std::optional<steady_time> work_queue::next_delayed() const {
  if (delayed_.empty()) return std::nullopt;
  return delayed_.begin()->first;
}

queue_snapshot work_queue::snapshot(steady_time now, std::size_t most) const {
  queue_snapshot s{
      ready_.size(), delayed_.size(), processing_.size(), failures_.size(), {}, {}, {}, {}};
  const auto first = [most](const auto& from, const auto& take) {
    std::size_t left = most;
    for (const auto& one : from) {
      if (left-- == 0) break;
      take(one);
    }
  };
  first(ready_, [&](const auto& one) { s.ready.push_back(one.second.key); });
  first(delayed_, [&](const auto& one) { s.delayed.push_back({one.second, one.first - now}); });
  first(processing_,
        [&](const auto& one) { s.processing.push_back({one.first, now - one.second.since}); });
  first(failures_, [&](const auto& one) { s.failures.push_back({one.first, one.second}); });
  return s;
}

void work_queue::clear() {
  ready_.clear();
  low_ready_ = 0;
  queued_.clear();
  dirty_.clear();
  delayed_.clear();
  delay_of_.clear();
}

}  // namespace oarlock::controller
