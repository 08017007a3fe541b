#pragma once
// What a child's worker asks on its channel while its call runs, and the daemon's answers: cursors
// (oarlock.cache/1), which come in pages, and live reads (oarlock.read/1).
#include <string>
#include <string_view>

#include "core/controller/reconciler.hpp"
#include "core/plugin/cursors.hpp"
#include "core/plugin/wire.hpp"

namespace oarlock::plugin::wire {

/// First byte of a question.
enum class ask : std::uint8_t { open = 1, next, close, read };

/// A question is longer than its texts by little.
inline constexpr std::size_t question_bytes_max = 5 * cursors::text_bytes_max;
/// A page ends with the object that goes beyond it.
inline constexpr std::size_t page_bytes = 256U << 10U;

void put_open(writer& w, const cursor_query& what);
void put_cursor(writer& w, ask what, std::uint64_t cursor);
void put_read(writer& w, std::string_view resource, std::string_view name);

void put_live_object(writer& w, const controller::live_object& found);
[[nodiscard]] controller::live_object take_live_object(reader& r);

/// What one call may read.
struct call_reads {
  cursors& cached;
  controller::live_reads* live = nullptr;  ///< null: it is refused
};

/// How a question went.
enum class told { stray, open_to_all, may_be_secret };

/// The daemon's answer to one question: of a cursor a status; for open the cursor too; for next
/// the objects, and whether there are more. stray: not what oarlock-plugin-host asks.
[[nodiscard]] told answer_question(std::string_view question, const call_reads& of_call, writer& w);

}  // namespace oarlock::plugin::wire
