#include "tests/tidy/catalogue.hpp"

#include <algorithm>

#include "tests/tidy/named_tests.hpp"

namespace oarlock::tidy {

namespace {

// The line of the page's table that is about a row; empty when there is none.
std::string line_of(const std::vector<source_file>& tree, const std::string& page,
                    const std::string& row) {
  for (const auto& file : tree) {
    if (file.path != page) continue;
    for (const auto line : lines_of(file.text)) {
      if (line.starts_with("| " + row + " |")) return std::string(line);
    }
  }
  return {};
}

}  // namespace

findings check_catalogue(const std::vector<source_file>& tree, const std::string& page,
                         const std::vector<std::string>& rows,
                         const std::vector<std::string>& excuses) {
  const auto tests = test_names(tree);
  findings out;
  for (const auto& row : rows) {
    const auto line = line_of(tree, page, row);
    const bool is_excused = std::ranges::any_of(
        excuses, [&](const auto& excuse) { return line.find("| " + excuse) != std::string::npos; });
    if (line.find('`') == std::string::npos && !is_excused)
      out.push_back({page, 0, "no test for row " + row, "one"});
    for (const auto& test : tests) {
      const bool of_row = test.find("." + row + "_") != std::string::npos;
      if (of_row && line.find("`" + test + "`") == std::string::npos)
        out.push_back({page, 0, "no " + test, "its name in row " + row});
    }
  }
  return out;
}

}  // namespace oarlock::tidy
