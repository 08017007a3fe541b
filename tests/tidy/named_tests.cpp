#include "tests/tidy/named_tests.hpp"

#include <algorithm>

namespace oarlock::tidy {
namespace {

std::string_view identifier_at(std::string_view text, std::size_t& at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == ','))
    ++at;
  const std::size_t begin = at;
  while (at < text.size() && is_identifier_char(text[at]))
    ++at;
  return text.substr(begin, at - begin);
}

// "suite.name" of each TEST, TEST_F and TEST_P.
void collect(std::string_view code, std::set<std::string>& tests) {
  for (const std::string_view macro : {"TEST(", "TEST_F(", "TEST_P("}) {
    for (std::size_t at = code.find(macro); at != std::string_view::npos;
         at = code.find(macro, at + 1)) {
      std::size_t next = at + macro.size();
      const auto suite = identifier_at(code, next);
      const auto name = identifier_at(code, next);
      tests.insert(std::string(suite) + "." + std::string(name));
    }
  }
}

// A file is named with a folder, or with one of these endings.
bool is_test_name(std::string_view quoted) {
  const std::size_t dot = quoted.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == quoted.size()) return false;
  const auto ending = quoted.substr(dot);
  for (const std::string_view of_file :
       {".cpp", ".hpp", ".h", ".c", ".md", ".go", ".sh", ".yaml"}) {
    if (ending == of_file) return false;
  }
  return std::all_of(quoted.begin(), quoted.end(),
                     [](char c) { return c == '.' || is_identifier_char(c); }) &&
         quoted.find('.', dot + 1) == std::string_view::npos;
}

}  // namespace

std::set<std::string> test_names(const std::vector<source_file>& tree) {
  std::set<std::string> tests;
  for (const source_file& file : tree) {
    if (is_test(file.path)) collect(file.text, tests);
  }
  return tests;
}

findings check_named_tests(const std::vector<source_file>& tree) {
  const auto tests = test_names(tree);
  findings out;
  for (const source_file& file : tree) {
    if (!in_folder(file.path, "docs") || extension_of(file.path) != ".md") continue;
    int number = 0;
    for (const std::string_view line : lines_of(file.text)) {
      ++number;
      if (!line.starts_with('|')) continue;
      for (std::size_t open = line.find('`'); open != std::string_view::npos;) {
        const std::size_t close = std::min(line.find('`', open + 1), line.size());
        const std::string quoted(line.substr(open + 1, close - open - 1));
        if (is_test_name(quoted) && !tests.contains(quoted)) {
          out.push_back({file.path, number, "'" + quoted + "'", "the name of a test in the tree"});
        }
        open = close == line.size() ? close : line.find('`', close + 1);
        if (open >= line.size()) break;
      }
    }
  }
  return out;
}

}  // namespace oarlock::tidy
