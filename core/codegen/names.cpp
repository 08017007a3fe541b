#include "core/codegen/names.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace oarlock::codegen {

namespace {

constexpr std::size_t comment_columns_max = 100;
constexpr std::size_t doc_lines_max = 12;

// Keywords of C++20 and C++23, and macros that standard headers define with small letters.
constexpr std::string_view reserved =
    " alignas alignof and and_eq asm assert auto bitand bitor bool break case catch char "
    "char16_t char32_t char8_t class co_await co_return co_yield compl concept const const_cast "
    "consteval constexpr constinit continue decltype default delete do double dynamic_cast else "
    "enum errno explicit export extern false float for friend goto i386 if inline int linux "
    "long major makedev minor mutable namespace new noexcept not not_eq nullptr offsetof "
    "operator or or_eq private protected public register reinterpret_cast requires return "
    "schema sdk self setjmp short signed sizeof static static_assert static_cast stderr stdin "
    "stdout struct switch template this thread_local throw true try typedef typeid typename "
    "union unix unknown unsigned using va_arg va_copy va_end va_start virtual void volatile "
    "wchar_t while xor xor_eq ";

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A word begins at an upper case letter that follows another case or begins the last word of a run
// of them. The s of "IPs" belongs to the run.
bool begins_word(std::string_view name, std::size_t i) {
  if (i == 0 || !is_upper(name[i])) return false;
  if (!is_upper(name[i - 1])) return true;
  const bool lower_follows = i + 1 < name.size() && is_lower(name[i + 1]);
  const bool is_plural =
      lower_follows && name[i + 1] == 's' && (i + 2 == name.size() || is_upper(name[i + 2]));
  const bool is_version = name.substr(i - 1).starts_with("IPv");
  return lower_follows && !is_plural && !is_version;
}

}  // namespace

std::string identifier(std::string_view name) {
  std::string out;
  const auto separate = [&] {
    if (!out.empty() && out.back() != '_') out += '_';
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (begins_word(name, i)) separate();
    if (is_upper(c)) {
      out += static_cast<char>(c - 'A' + 'a');
    } else if (is_lower(c) || is_digit(c)) {
      out += c;
    } else {
      separate();
    }
  }
  while (out.ends_with('_'))
    out.pop_back();
  if (out.empty()) return name.empty() ? "empty" : "other";
  if (is_digit(out.front())) out.insert(0, "n");
  if (reserved.find(fmt::format(" {} ", out)) != std::string_view::npos) out += '_';
  return out;
}

std::string struct_name(std::string_view kind) {
  std::string name = identifier(kind);
  // The last two are namespaces that generated headers look into.
  const bool meets = name.ends_with("_types") || name == "std" || name == "oarlock";
  return meets ? name + '_' : name;
}
std::string parts_namespace(std::string_view kind) {
  const std::string name = identifier(kind);
  return name + (name.ends_with('_') ? "types" : "_types");
}

std::string part_name(const std::string& owner, std::string_view field) {
  return identifier(owner.empty() ? identifier(field) : owner + "_" + identifier(field));
}

std::string unused_name(const std::string& name, std::set<std::string>& taken) {
  std::string candidate = name;
  for (int i = 2; !taken.insert(candidate).second; ++i)
    candidate = fmt::format("{}{}{}", name, name.ends_with('_') ? "" : "_", i);
  return candidate;
}

std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F || c == '?') {
      out += fmt::format("\\{:03o}", byte);  // also ?, for trigraphs
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string doc_comment(std::string_view text, std::size_t indent) {
  const std::string head = std::string(indent, ' ') + "///";
  std::string out, line = head;
  std::size_t lines = 0, at = 0;
  const auto flush = [&] {
    // A backslash at the end would continue the comment.
    if (line.ends_with('\\')) line += '.';
    out += line + '\n';
    line = head;
    ++lines;
  };
  constexpr std::string_view blanks = " \t\r\n";
  while ((at = text.find_first_not_of(blanks, at)) != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(blanks, at), text.size());
    std::string word(text.substr(at, end - at));
    std::erase_if(word, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    at = end;
    // What fits on no line is cut between characters.
    const std::size_t room = comment_columns_max - head.size() - 1;
    if (word.size() > room) {
      std::size_t cut = room - 3;
      while (cut > 0 && (static_cast<unsigned char>(word[cut]) & 0xC0U) == 0x80U)
        --cut;
      word = word.substr(0, cut) + "...";
    }
    if (line.size() + 1 + word.size() > comment_columns_max) {
      if (lines + 1 == doc_lines_max) {
        if (line.size() + 4 > comment_columns_max) line.resize(line.rfind(' '));
        line += " ...";
        flush();
        return out;
      }
      flush();
    }
    line += ' ' + word;
  }
  if (line != head) flush();
  return out;
}

}  // namespace oarlock::codegen
