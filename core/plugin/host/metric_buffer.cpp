#include "core/plugin/host/metric_buffer.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/plugin/host/recorder.hpp"
#include "core/plugin/metric_frames.hpp"

namespace oarlock::plugin::host {

namespace {

constexpr std::chrono::seconds period{1};
// No entry is longer than what is left of a packet then.
constexpr std::size_t packet_bytes = wire::notice_bytes_max / 2;

template <class Put>
std::string entry_of(Put put) {
  std::string out;
  wire::writer w(out);
  put(w);
  return out;
}

}  // namespace

void metric_buffer::declared(const metric_spec& spec) {
  put(entry_of([&](wire::writer& w) { wire::put_metric(w, spec); }));
  if (std::exchange(has_thread_, true)) return;
  std::thread([this] { send_now_and_then(); }).detach();
}

bool metric_buffer::made(std::size_t series, std::size_t metric, const metric_spec& spec,
                         const std::vector<std::string>& values) {
  put(entry_of([&](wire::writer& w) { wire::put_series(w, metric, values); }));
  series_.resize(series + 1);
  if (spec.kind == OARLOCK_METRIC_HISTOGRAM) series_[series].counts.resize(spec.buckets.size() + 1);
  return true;
}

void metric_buffer::added(std::size_t series, double amount) {
  series_[series].value += amount;
  list(series);
}

void metric_buffer::was_set(std::size_t series, double value) {
  series_[series].value = value;
  list(series);
}

void metric_buffer::observed(std::size_t series, double value) {
  auto& at = series_[series];
  const auto& bounds = spec_of(series)->buckets;
  at.counts[static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) -
                                     bounds.begin())] += 1;
  at.value += value;
  list(series);
}

void metric_buffer::overflowed(std::size_t metric, const metric_spec&, std::uint64_t count) {
  over_[metric] += count;
  changed_there_.notify_one();
}

void metric_buffer::list(std::size_t series) {
  if (std::exchange(series_[series].is_listed, true)) return;
  changed_.push_back(series);
  changed_there_.notify_one();
}

void metric_buffer::put(const std::string& entry) {
  if (packets_.empty() || packets_.back().size() + entry.size() > packet_bytes) {
    packets_.emplace_back();
    wire::writer w(packets_.back());
    w.u32(static_cast<std::uint32_t>(wire::frame::measured));
  }
  packets_.back() += entry;
  changed_there_.notify_one();
}

void metric_buffer::put_changes() {
  for (const auto id : changed_) {
    auto& at = series_[id];
    at.is_listed = false;
    const auto kind = spec_of(id)->kind;
    put(entry_of([&](wire::writer& w) {
      if (kind == OARLOCK_METRIC_HISTOGRAM) return wire::put_observed(w, id, at.counts, at.value);
      const bool is_gauge = kind == OARLOCK_METRIC_GAUGE;
      wire::put_change(w, is_gauge ? wire::metric_entry::set : wire::metric_entry::add, id,
                       at.value);
    }));
    if (kind != OARLOCK_METRIC_GAUGE) at.value = 0;
    std::fill(at.counts.begin(), at.counts.end(), 0);
  }
  changed_.clear();
  for (const auto& [metric, count] : std::exchange(over_, {}))
    put(entry_of([&](wire::writer& w) { wire::put_overflow(w, metric, count); }));
}

void metric_buffer::flush() {
  const std::lock_guard in_order(sending_);
  std::vector<std::string> packets;
  {
    const std::lock_guard lock(mutex_);
    put_changes();
    packets = std::exchange(packets_, {});
  }
  for (const auto& packet : packets)
    send_notice(packet);
}

void metric_buffer::send_now_and_then() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_there_.wait(lock,
                          [&] { return !packets_.empty() || !changed_.empty() || !over_.empty(); });
    }
    flush();
    std::unique_lock lock(mutex_);
    pause_.wait_for(lock, period, [] { return false; });
  }
}

}  // namespace oarlock::plugin::host
