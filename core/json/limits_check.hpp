#pragma once
// What a SAX handler needs to keep foreign input bounded: nesting depth and duplicate keys.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "core/base/limits.hpp"

namespace oarlock::json {

enum class limit_broken { none, depth, duplicate_key };

/// Counts levels and remembers a hash per key of each open object: n log n for any number of keys,
/// where comparing each key with each other would be a gift to an attacker.
class limits_check {
 public:
  /// False: too deep.
  [[nodiscard]] bool enter() {
    if (first_key_.size() >= limits::json_depth_max) {
      broken_ = limit_broken::depth;
      return false;
    }
    first_key_.push_back(keys_.size());
    return true;
  }
  void key(std::string_view name) { keys_.push_back(std::hash<std::string_view>{}(name)); }
  /// False: two keys of the object that ends here are equal.
  [[nodiscard]] bool leave() {
    const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(first_key_.back());
    std::sort(begin, keys_.end());
    const bool unique = std::adjacent_find(begin, keys_.end()) == keys_.end();
    if (!unique) broken_ = limit_broken::duplicate_key;
    keys_.erase(begin, keys_.end());
    first_key_.pop_back();
    return unique;
  }
  [[nodiscard]] std::size_t depth() const { return first_key_.size(); }
  [[nodiscard]] limit_broken broken() const { return broken_; }
  /// Ready for the next text; keeps its memory.
  void reset() {
    keys_.clear();
    first_key_.clear();
    broken_ = limit_broken::none;
  }

 private:
  std::vector<std::size_t> keys_;
  std::vector<std::size_t> first_key_;
  limit_broken broken_ = limit_broken::none;
};

}  // namespace oarlock::json
