#include "core/json/packed_writer.hpp"

#include <cstdint>
#include <cstring>

namespace oarlock::json {

namespace {

constexpr std::uint64_t in_each_byte(unsigned char c) {
  return 0x0101010101010101U * c;
}

// Not 0: one of the eight bytes may be below ' ', a quote or a backslash (see "Bit Twiddling
// Hacks", determine if a word has a byte less than n or equal to n).
constexpr std::uint64_t to_escape(std::uint64_t eight) {
  constexpr std::uint64_t ones = in_each_byte(1);
  const std::uint64_t quote = eight ^ in_each_byte('"');
  const std::uint64_t slash = eight ^ in_each_byte('\\');
  const std::uint64_t below = (eight - in_each_byte(' ')) | (quote - ones) | (slash - ones);
  return below & ~eight & in_each_byte(0x80);
}

// How many bytes from `at` on certainly need no escape.
std::size_t plain_run(std::string_view s, std::size_t at) {
  const std::size_t begin = at;
  for (std::uint64_t eight = 0; s.size() - at >= sizeof eight; at += sizeof eight) {
    std::memcpy(&eight, s.data() + at, sizeof eight);
    if (to_escape(eight) != 0) break;
  }
  return at - begin;
}

}  // namespace

void packed_writer::quote(std::string_view s) {
  static constexpr char hex[] = "0123456789abcdef";
  out_ += '"';
  std::size_t clean = 0;
  for (std::size_t i = plain_run(s, 0); i < s.size(); ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out_.append(s, clean, i - clean);
    clean = i + 1;
    switch (c) {
      case '"':
        out_ += "\\\"";
        break;
      case '\\':
        out_ += "\\\\";
        break;
      case '\b':
        out_ += "\\b";
        break;
      case '\f':
        out_ += "\\f";
        break;
      case '\n':
        out_ += "\\n";
        break;
      case '\r':
        out_ += "\\r";
        break;
      case '\t':
        out_ += "\\t";
        break;
      default:
        out_ += "\\u00";
        out_ += hex[c >> 4U];
        out_ += hex[c & 15U];
    }
  }
  out_.append(s, clean, s.size() - clean);
  out_ += '"';
}

}  // namespace oarlock::json
