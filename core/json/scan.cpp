#include "core/json/scan.hpp"

#include <algorithm>
#include <charconv>

#include "core/json/parse.hpp"
#include "core/json/span_cursor.hpp"

namespace oarlock::json {

namespace {

using step = span_cursor::step;

std::optional<std::string> decoded(std::string_view quoted) {
  const auto value = parse(quoted);
  if (!value || !value->IsString()) return std::nullopt;
  return std::string(value->GetString(), value->GetStringLength());
}

bool is_named(std::string_view key_as_written, const std::string& name) {
  if (key_as_written.find('\\') == std::string_view::npos) return key_as_written == name;
  return decoded('"' + std::string(key_as_written) + '"') == name;
}

// The member or element that `segment` of a pointer names; empty when there is none.
std::string_view child(std::string_view parent, std::string_view segment) {
  span_cursor cursor(parent);
  span where;
  const bool array = cursor.peek() == '[';
  if (!cursor.open(array ? '[' : '{')) return {};
  const std::string name = unescaped_segment(segment);
  std::size_t index = 0;
  if (array) {
    const char* end = segment.data() + segment.size();
    const auto [stop, failed] = std::from_chars(segment.data(), end, index);
    if (failed != std::errc() || stop != end) return {};
  }
  for (std::size_t n = 0;; ++n) {
    std::string_view key;
    if ((array ? cursor.next_element() : cursor.next_member(key)) != step::value) return {};
    if (!cursor.skip_value(where)) return {};
    if (array ? n != index : !is_named(key, name)) continue;
    return parent.substr(where.begin, where.end - where.begin);
  }
}

}  // namespace

std::optional<std::string> scan_string(std::string_view text, std::string_view pointer) {
  while (!pointer.empty()) {
    if (pointer.front() != '/') return std::nullopt;
    pointer.remove_prefix(1);
    const std::string_view segment = pointer.substr(0, pointer.find('/'));
    text = child(text, segment);
    pointer.remove_prefix(segment.size());
  }
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (text.empty() || text.front() != '"') return std::nullopt;
  return decoded(text);
}

}  // namespace oarlock::json
