#include "core/plugin/event_inbox.hpp"

#include <algorithm>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/plugin/quota.hpp"

namespace oarlock::plugin {

namespace {

// Of a namespace, and of the name of an object.
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t name_bytes_max = 253;

}  // namespace

event_inbox::event_inbox(parts p) : parts_(std::move(p)) {
  if (parts_.per_second == 0) return;
  const auto rate = static_cast<double>(parts_.per_second);
  bucket_.emplace(rate, rate);
  over_ = &over_quota_counter(*parts_.metrics, parts_.plugin, quota_name::enqueues_per_second);
}

bool event_inbox::takes(const std::vector<std::string>& controllers, std::string_view controller,
                        std::string_view ns, std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max && ns.size() <= label_bytes_max &&
         std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

oarlock_status event_inbox::add(std::string_view controller, std::string_view ns,
                                std::string_view name) {
  if (!takes(parts_.controllers, controller, ns, name)) return OARLOCK_INVALID;
  std::function<void()> tell;
  {
    const std::lock_guard lock(mutex_);
    keep({std::string(controller), {std::string(ns), std::string(name)}});
    if (!std::exchange(is_told_, true)) tell = ready_;
  }
  if (tell) tell();
  return OARLOCK_OK;
}

void event_inbox::keep(entry e) {
  if (waiting_.contains(e)) return;
  if (waiting_.size() >= keys_max && !OARLOCK_MUTANT("event_inbox_unbounded")) {
    missed_.insert(e.controller);
    if (over_ != nullptr) over_->add();
    return;
  }
  order_.push_back(e);
  waiting_.insert(std::move(e));
}

void event_inbox::on_ready(std::function<void()> ready) {
  std::function<void()> tell;
  {
    const std::lock_guard lock(mutex_);
    ready_ = std::move(ready);
    is_told_ = !waiting_.empty() || !missed_.empty();
    if (is_told_) tell = ready_;
  }
  if (tell) tell();
}

event_inbox::batch event_inbox::take(const std::function<bool(const entry&)>& exists) {
  batch out;
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    const auto now = parts_.clock_source == nullptr ? steady_time() : parts_.clock_source->now();
    take_keys(now, exists, out);
    take_whole(now, out);
    is_first = out.next && !std::exchange(is_over_, out.next.has_value());
    is_told_ = out.next.has_value();
    if (!out.next) is_over_ = false;
  }
  if (out.next && over_ != nullptr) over_->add();
  if (is_first) warn(out);
  return out;
}

void event_inbox::take_keys(steady_time now, const std::function<bool(const entry&)>& exists,
                            batch& out) {
  while (!order_.empty()) {
    const bool is_there = !exists || exists(order_.front());
    const bool costs = is_there || looks_ + 1 >= looks_per_key;
    if (costs && bucket_ && !OARLOCK_MUTANT("enqueue_quota_ignored") &&
        !bucket_->take(now, duration::zero())) {
      out.next = bucket_->wait(now);
      return;
    }
    waiting_.erase(order_.front());
    looks_ = costs ? 0 : looks_ + 1;
    if (is_there) out.keys.push_back(std::move(order_.front()));
    order_.pop_front();
  }
}

void event_inbox::take_whole(steady_time now, batch& out) {
  for (auto at = missed_.begin(); at != missed_.end();) {
    const auto before = planned_.find(*at);
    const bool is_due = before == planned_.end() || now >= before->second + whole_period;
    if (!is_due) {
      const auto left = before->second + whole_period - now;
      out.next = std::min<duration>(out.next.value_or(left), left);
      ++at;
      continue;
    }
    planned_[*at] = now;
    out.whole.push_back(*at);
    at = missed_.erase(at);
  }
}

void event_inbox::warn(const batch& taken) const {
  log_warn("plugin is over its quota: what its event sources enqueue waits",
           {{"plugin", parts_.plugin},
            {"quota", quota_name::enqueues_per_second},
            {"limit", parts_.per_second},
            {"taken", taken.keys.size()}});
}

}  // namespace oarlock::plugin
