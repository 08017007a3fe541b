#include "core/base/rfc3339.hpp"

#include <charconv>

namespace oarlock {

namespace {

// Takes `digits` digits and the character after them off the front; '\0': nothing follows them.
std::optional<int> take(std::string_view& text, std::size_t digits, char after) {
  int value = 0;
  if (text.size() < digits || text.front() == '-') return {};
  const auto read = std::from_chars(text.data(), text.data() + digits, value);
  if (read.ec != std::errc() || read.ptr != text.data() + digits) return {};
  text.remove_prefix(digits);
  if (after == '\0') return value;
  if (text.empty() || text.front() != after) return {};
  text.remove_prefix(1);
  return value;
}

bool take_fraction(std::string_view& text) {
  if (!text.starts_with('.')) return true;
  const auto end = text.find_first_not_of("0123456789", 1);
  if (end == 1 || end == std::string_view::npos) return false;
  text.remove_prefix(end);
  return true;
}

std::optional<std::chrono::minutes> take_offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  if (!text.starts_with('+') && !text.starts_with('-')) return {};
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = take(text, 2, ':');
  const auto minutes = hours ? take(text, 2, '\0') : std::nullopt;
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return {};
  return sign * (std::chrono::hours(*hours) + std::chrono::minutes(*minutes));
}

}  // namespace

std::optional<wall_time> parse_rfc3339(std::string_view text) {
  const auto year = take(text, 4, '-');
  const auto month = year ? take(text, 2, '-') : std::nullopt;
  const auto day = month ? take(text, 2, 'T') : std::nullopt;
  const auto hour = day ? take(text, 2, ':') : std::nullopt;
  const auto minute = hour ? take(text, 2, ':') : std::nullopt;
  const auto second = minute ? take(text, 2, '\0') : std::nullopt;
  if (!second || !take_fraction(text)) return {};
  const auto offset = take_offset(text);
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!offset || !date.ok() || *hour > 23 || *minute > 59 || *second > 60) return {};
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) - *offset;
}

}  // namespace oarlock
