#include "tests/tidy/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>

namespace oarlock::tidy {
namespace {

// Blanks [from, to) but keeps line breaks.
void blank(std::string& text, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < std::min(to, text.size()); ++i) {
    if (text[i] != '\n') text[i] = ' ';
  }
}

// The offset behind a quoted literal that starts at `at`.
std::size_t end_of_literal(std::string_view text, std::size_t at) {
  const char quote = text[at];
  std::size_t i = at + 1;
  while (i < text.size() && text[i] != quote && text[i] != '\n')
    i += text[i] == '\\' ? 2 : 1;
  return std::min(i + 1, text.size());
}

// The offset behind R"delimiter( ... )delimiter" whose quote is at `at`.
std::size_t end_of_raw_string(std::string_view text, std::size_t at) {
  const std::size_t open = text.find('(', at);
  if (open == std::string_view::npos) return text.size();
  std::string close = ")";
  close.append(text.substr(at + 1, open - at - 1));
  close += '"';
  const std::size_t end = text.find(close, open);
  return end == std::string_view::npos ? text.size() : end + close.size();
}

bool is_skipped_folder(const std::string& name) {
  return name == ".git" || name == "build" || name == "node_modules" || name == ".cache";
}

bool is_text_name(const std::string& name, const std::string& extension) {
  static constexpr std::array<std::string_view, 17> extensions = {
      ".cpp", ".hpp", ".c",  ".h",    ".cc",  ".cxx",  ".hh",  ".hxx", ".cmake",
      ".md",  ".sh",  ".go", ".yaml", ".yml", ".json", ".map", ".txt"};
  static constexpr std::array<std::string_view, 7> names = {
      "Makefile",   "run",           "Dockerfile", ".clang-format",
      ".gitignore", ".editorconfig", ".clang-tidy"};
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end() ||
         std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::string describe(const finding& f) {
  std::string out = f.path;
  if (f.line > 0) out += ":" + std::to_string(f.line);
  return out + ": found " + f.found + "; expected " + f.expected;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

int columns(std::string_view line, int tab_width) {
  int count = 0;
  for (const char c : line) {
    if (c == '\t') {
      count += tab_width;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++count;
    }
  }
  return count;
}

std::string code_only(std::string_view text) {
  std::string code(text);
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    std::size_t end = i + 1;
    if (c == '/' && next == '/') {
      end = std::min(text.find('\n', i), text.size());
      blank(code, i, end);
    } else if (c == '/' && next == '*') {
      const std::size_t close = text.find("*/", i + 2);
      end = close == std::string_view::npos ? text.size() : close + 2;
      blank(code, i, end);
    } else if (c == '"') {
      const bool raw = i > 0 && text[i - 1] == 'R' && (i < 2 || !is_identifier_char(text[i - 2]));
      end = raw ? end_of_raw_string(text, i) : end_of_literal(text, i);
      blank(code, i + 1, end - 1);
    } else if (c == '\'' && (i == 0 || !is_identifier_char(text[i - 1]))) {
      end = end_of_literal(text, i);
      blank(code, i + 1, end - 1);
    }
    i = end;
  }
  return code;
}

int line_at(std::string_view text, std::size_t offset) {
  return 1 +
         static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(offset), '\n'));
}

bool is_identifier_char(char c) {
  return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool in_folder(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

std::string name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string extension_of(std::string_view path) {
  return std::filesystem::path(name_of(path)).extension().string();
}

bool is_cpp(std::string_view path) {
  return path.ends_with(".cpp") || path.ends_with(".hpp");
}

bool is_c_family(std::string_view path) {
  return is_cpp(path) || path.ends_with(".c") || path.ends_with(".h");
}

bool is_test(std::string_view path) {
  return path.ends_with("_test.cpp") || path.ends_with("_test.hpp");
}

std::vector<source_file> read_tree(const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  std::vector<source_file> files;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator();
       ++it) {
    const std::string name = it->path().filename().string();
    if (it->is_directory() && is_skipped_folder(name)) it.disable_recursion_pending();
    if (!it->is_regular_file() || it->is_symlink()) continue;
    const std::string path = it->path().lexically_relative(root).generic_string();
    const bool text = is_text_name(name, extension_of(path)) || name == "LICENSE";
    if (!text || (name == "run" && folder_of(path) != ".ci")) continue;
    std::ifstream in(it->path(), std::ios::binary);
    files.push_back({path, std::string(std::istreambuf_iterator<char>(in), {})});
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

}  // namespace oarlock::tidy
