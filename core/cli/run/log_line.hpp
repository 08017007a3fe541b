#pragma once
// A line of oarlockd's JSON log for people: 12:00:01 INFO  message  key=value.
#include <string>
#include <string_view>

namespace oarlock::cli {

/// `coloured`: with the escape sequences of a terminal. What the line itself has of control
/// characters is shown, not sent to the terminal. A line that is no JSON record is shown as it is.
/// No line break at the end.
[[nodiscard]] std::string readable_log_line(std::string_view line, bool coloured);

/// Whether colours are wanted on this descriptor: a terminal, and NO_COLOR is not set.
[[nodiscard]] bool wants_colours(int descriptor);

}  // namespace oarlock::cli
