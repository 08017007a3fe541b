#include "tests/tidy/sizes.hpp"

#include <algorithm>

namespace oarlock::tidy {
namespace {

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const bool left = at == 0 || !is_identifier_char(text[at - 1]);
    const std::size_t end = at + word.size();
    const bool right = end == text.size() || !is_identifier_char(text[end]);
    if (left && right) return true;
  }
  return false;
}

// The brace behind this head opens a scope in which functions may stand.
bool opens_scope(std::string_view head) {
  if (has_word(head, "namespace") || has_word(head, "extern")) return true;
  const bool type = has_word(head, "class") || has_word(head, "struct") || has_word(head, "union");
  return type && !head.ends_with(')') && head.find(") ") == std::string_view::npos;
}

bool opens_function(std::string_view head) {
  return head.find('(') != std::string_view::npos && !head.ends_with('=') &&
         !has_word(head, "enum");
}

std::string one_line(std::string_view head) {
  std::string out;
  for (const char c : head) {
    if (c == '\n' || c == ' ') {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      out += c;
    }
  }
  return out.substr(0, 60);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \n") - from + 1);
}

// The offset behind the brace that closes the one at `open`.
std::size_t closing_brace(std::string_view code, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < code.size(); ++i) {
    if (code[i] == '{') ++depth;
    if (code[i] == '}' && --depth == 0) return i + 1;
  }
  return code.size();
}

}  // namespace

std::vector<function_size> functions_of(const source_file& file) {
  std::vector<function_size> out;
  const std::string code = code_only(file.text);
  std::size_t head_start = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i] == ';' || code[i] == '}') head_start = i + 1;
    if (code[i] != '{') continue;
    const std::string_view head =
        trimmed(std::string_view(code).substr(head_start, i - head_start));
    if (!opens_scope(head)) {
      const std::size_t end = closing_brace(code, i);
      if (opens_function(head)) {
        const int first = line_at(code, i);
        out.push_back({first, line_at(code, end - 1) - first + 1, one_line(head)});
      }
      i = end - 1;
    }
    head_start = i + 1;
  }
  return out;
}

std::vector<std::string> size_report(const std::vector<source_file>& tree) {
  std::vector<std::string> out;
  for (const source_file& file : tree) {
    if (!is_c_family(file.path)) continue;
    const bool header = file.path.ends_with('h') || file.path.ends_with(".hpp");
    const int lines = static_cast<int>(lines_of(file.text).size());
    const int most = header ? header_lines_max : source_lines_max;
    if (lines > most) out.push_back(file.path + ": " + std::to_string(lines) + " lines");
    for (const function_size& f : functions_of(file)) {
      if (f.lines <= function_lines_max) continue;
      out.push_back(file.path + ":" + std::to_string(f.line) + ": a function of " +
                    std::to_string(f.lines) + " lines: " + f.head);
    }
  }
  return out;
}

}  // namespace oarlock::tidy
