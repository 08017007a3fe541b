#pragma once
// Text and times between the C ABI and C++.
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oarlock/abi.h"

namespace oarlock::sdk {

/// The bytes that the host lends: valid as long as the call they came with.
[[nodiscard]] inline std::string_view to_text(oarlock_str_view lent) noexcept {
  return lent.size == 0 ? std::string_view{} : std::string_view{lent.data, lent.size};
}
[[nodiscard]] inline std::string_view to_text(oarlock_bytes_view lent) noexcept {
  if (lent.size == 0) return {};
  return {reinterpret_cast<const char*>(lent.data), lent.size};
}

/// Lends `text` to the host: `text` must outlive the call.
[[nodiscard]] constexpr oarlock_str_view to_view(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
[[nodiscard]] inline oarlock_bytes_view to_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// `text`, or its beginning with "..." when it has more than `bytes_max` bytes. Never cuts a UTF-8
/// character in two.
[[nodiscard]] inline std::string shorten(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view dots = "...";
  if (text.size() <= bytes_max) return std::string(text);
  if (bytes_max < dots.size()) return {};
  std::size_t end = bytes_max - dots.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;
  return std::string(text.substr(0, end)).append(dots);
}

/// Milliseconds since 1970 of a time as the API server writes it, "2026-03-01T12:00:00Z" (RFC 3339
/// in UTC, fractions of a second are dropped); nullopt for anything else.
[[nodiscard]] inline std::optional<std::int64_t> to_unix_ms(std::string_view time) {
  if (time.size() < 20 || time.back() != 'Z') return std::nullopt;
  if (time[4] != '-' || time[7] != '-' || time[10] != 'T' || time[13] != ':' || time[16] != ':') {
    return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = -1;
    const char* first = time.data() + at;
    const auto [end, bad] = std::from_chars(first, first + digits, value);
    return bad == std::errc{} && end == first + digits ? value : -1;
  };
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
}

}  // namespace oarlock::sdk
