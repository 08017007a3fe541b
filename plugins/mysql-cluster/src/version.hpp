#pragma once
// Versions of MySQL: "9.7.4", whatever stands behind the numbers. Pure.
#include <array>
#include <charconv>
#include <string_view>

namespace mysql_cluster {

/// Its numbers; those that are missing are 0.
using version = std::array<int, 3>;
[[nodiscard]] inline version version_of(std::string_view text) {
  version made{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int& number : made) {
    const auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc() || read.ptr == end || *read.ptr != '.') break;
    at = read.ptr + 1;
  }
  return made;
}

/// "9.7" is met by "9.7.4" and by "9.7.4-1", not by "9.70.1".
[[nodiscard]] inline bool meets_version(std::string_view found, std::string_view wanted) {
  if (!found.starts_with(wanted)) return false;
  return found.size() == wanted.size() || found[wanted.size()] < '0' || found[wanted.size()] > '9';
}

}  // namespace mysql_cluster
