#include "tests/tidy/catalogue.hpp"

#include "tests/tidy/named_tests.hpp"

namespace oarlock::tidy {

namespace {

constexpr const char* page_path = "docs/fault-catalogue.md";

// The line of the page's table that is about a row; empty when there is none.
std::string line_of(const std::vector<source_file>& tree, const std::string& row) {
  for (const auto& file : tree) {
    if (file.path != page_path) continue;
    for (const auto line : lines_of(file.text)) {
      if (line.starts_with("| " + row + " |")) return std::string(line);
    }
  }
  return {};
}

}  // namespace

findings check_catalogue(const std::vector<source_file>& tree,
                         const std::vector<std::string>& rows) {
  const auto tests = test_names(tree);
  findings out;
  for (const auto& row : rows) {
    const auto line = line_of(tree, row);
    if (line.find('`') == std::string::npos)
      out.push_back({page_path, 0, "no test for row " + row, "one"});
    for (const auto& test : tests) {
      const bool of_row = test.find("." + row + "_") != std::string::npos;
      if (of_row && line.find("`" + test + "`") == std::string::npos)
        out.push_back({page_path, 0, "no " + test, "its name in row " + row});
    }
  }
  return out;
}

}  // namespace oarlock::tidy
