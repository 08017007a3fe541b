#pragma once
// Durations as Kubernetes components take them: "15s", "1m30s", "500ms", "1.5h" (Go's syntax).
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"

namespace oarlock::daemon {

/// nullopt for anything else, for signs, and above a day. To the millisecond.
[[nodiscard]] std::optional<duration> parse_duration(std::string_view text);

/// The shortest text of one unit that reads back: "90s", "500ms".
[[nodiscard]] std::string show_duration(duration d);

}  // namespace oarlock::daemon
