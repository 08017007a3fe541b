#pragma once
// Which of the runs of a namespace may go on. The plan of one pipeline has to know of the others:
// observe() counts them in the cache, and the plan decides by the two numbers.
#include <chrono>
#include <optional>

#include "oarlock/sdk/cache.hpp"
#include "oarlock/sdk/outside.hpp"
#include "types.hpp"

namespace ml {

/// The other runs of the same queue.
struct queue_view {
  std::int64_t running = 0;  ///< that have left it, or say so
  std::int64_t ahead = 0;    ///< that wait and come first: a higher priority, or an earlier time
};
[[nodiscard]] queue_view queue_of(const input& in);

/// What observe() is called on.
class queue_observer {
 public:
  explicit queue_observer(const sdk::setup& s) : cache_(s.cache) {}
  [[nodiscard]] std::optional<sdk::json::value> observe(const input& in,
                                                        std::chrono::milliseconds time_left) const;

 private:
  sdk::cache cache_;
};

}  // namespace ml
