#pragma once
// Reviews as frames, and what a child answers.
#include <chrono>
#include <optional>

#include "core/plugin/review_call.hpp"
#include "core/plugin/wire.hpp"

namespace oarlock::plugin::wire {

void put_review(writer& w, review_task task, const oarlock_review_view& view,
                std::chrono::milliseconds time_left);

struct taken_review {
  review_task task{};
  oarlock_review_view view{};  ///< of the frame it came in
  std::chrono::milliseconds time_left{0};
};
[[nodiscard]] taken_review take_review(reader& r);

void put_reviewed(writer& w, const review_answer& answer);
/// nullopt: not what oarlock-plugin-host sends. Whether it may say that is for judged().
[[nodiscard]] std::optional<review_answer> take_reviewed(reader& r);

}  // namespace oarlock::plugin::wire
