#pragma once
// Requests of pods as frames, and what a child answers.
#include <chrono>
#include <optional>
#include <string_view>

#include "core/plugin/inbound_call.hpp"
#include "core/plugin/wire.hpp"

namespace oarlock::plugin::wire {

void put_request(writer& w, const oarlock_request_view& view, std::chrono::milliseconds time_left);

struct taken_request {
  oarlock_request_view view{};  ///< of the frame it came in
  std::chrono::milliseconds time_left{0};
};
[[nodiscard]] taken_request take_request(reader& r);

void put_answer(writer& w, const inbound_answer& answer);
/// nullopt: not what oarlock-plugin-host sends.
[[nodiscard]] std::optional<inbound_answer> take_inbound_answer(reader& r);

}  // namespace oarlock::plugin::wire
