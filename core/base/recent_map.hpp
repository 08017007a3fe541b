#pragma once
// A map of bounded size that forgets what was not asked for longest.
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace oarlock {

template <class Value>
class recent_map {
 public:
  explicit recent_map(std::size_t entries_max) : entries_max_(entries_max) {}
  recent_map(const recent_map&) = delete;
  recent_map& operator=(const recent_map&) = delete;

  /// nullptr when it has none. Valid until the next call.
  Value* find(std::string_view key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }

  Value& put(std::string key, Value value) {
    if (auto* have = find(key)) return *have = std::move(value);
    if (entries_.size() >= entries_max_) {
      places_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(std::move(key), std::move(value));
    places_.emplace(entries_.front().first, entries_.begin());
    return entries_.front().second;
  }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  using entry_list = std::list<std::pair<const std::string, Value>>;
  const std::size_t entries_max_;
  entry_list entries_;  // the latest first
  std::unordered_map<std::string_view, typename entry_list::iterator> places_;
};

}  // namespace oarlock
