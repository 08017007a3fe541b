#include "core/plugin/lent_text.hpp"

#include <fmt/format.h>
#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>

#include <algorithm>

namespace oarlock::plugin {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_letter_or_digit(char c) {
  return is_letter(c) || (c >= '0' && c <= '9');
}

struct nowhere {
  void Put(char) {}
};

bool is_utf8(std::string_view text) {
  rapidjson::MemoryStream bytes(text.data(), text.size());
  nowhere sink;
  while (bytes.Tell() < text.size()) {
    if (!rapidjson::UTF8<>::Validate(bytes, sink)) return false;
  }
  return bytes.Tell() == text.size();
}

}  // namespace

std::string trouble_of_text(oarlock_str_view lent, std::string_view name, std::size_t bytes_max) {
  if (lent.data == nullptr && lent.size != 0) {
    return fmt::format("expected {} to point at {} bytes, found NULL", name, lent.size);
  }
  if (lent.size > bytes_max) {
    return fmt::format("expected {} to have at most {} bytes, found {}", name, bytes_max,
                       lent.size);
  }
  if (lent.size != 0 && !is_utf8({lent.data, lent.size})) {
    return fmt::format("expected {} to be UTF-8", name);
  }
  return {};
}

std::string text_of(oarlock_str_view lent) {
  return lent.data == nullptr ? std::string{} : std::string(lent.data, lent.size);
}

bool is_reason(std::string_view s) {
  return !s.empty() && is_letter(s.front()) && (is_letter_or_digit(s.back()) || s.back() == '_') &&
         std::all_of(s.begin(), s.end(), [](char c) {
           return is_letter_or_digit(c) || c == '_' || c == ',' || c == ':';
         });
}

bool is_condition_type(std::string_view s) {
  return !s.empty() && is_letter_or_digit(s.front()) && is_letter_or_digit(s.back()) &&
         std::all_of(s.begin(), s.end(), [](char c) {
           return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.' || c == '/';
         });
}

std::string shortened(const std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;
  return text.substr(0, end) + "...";
}

bool is_effect_name(std::string_view s) {
  return !s.empty() && is_letter_or_digit(s.front()) && std::all_of(s.begin(), s.end(), [](char c) {
    return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.';
  });
}

}  // namespace oarlock::plugin
