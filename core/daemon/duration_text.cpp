#include "core/daemon/duration_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace oarlock::daemon {

namespace {

constexpr std::int64_t day_ms = 86'400'000;

struct unit {
  std::string_view name;
  double ms;
};
// "ms" before "m".
constexpr unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};

}  // namespace

std::optional<duration> parse_duration(std::string_view text) {
  if (text == "0") return duration(0);
  if (text.empty()) return std::nullopt;
  double total_ms = 0;
  while (!text.empty()) {
    if (text.front() < '0' || text.front() > '9') return std::nullopt;
    double number = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, ec] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    const auto* const found = std::find_if(std::begin(units), std::end(units),
                                           [&](const unit& u) { return text.starts_with(u.name); });
    if (found == std::end(units)) return std::nullopt;
    text.remove_prefix(found->name.size());
    total_ms += number * found->ms;
    if (total_ms > static_cast<double>(day_ms)) return std::nullopt;
  }
  return std::chrono::milliseconds(std::llround(total_ms));
}

std::string show_duration(duration d) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return ms % 1000 == 0 ? fmt::format("{}s", ms / 1000) : fmt::format("{}ms", ms);
}

}  // namespace oarlock::daemon
