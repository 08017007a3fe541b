#pragma once
// Documents that promise a test for each rule: the tests must be there.
#include <set>

#include "tests/tidy/text.hpp"

namespace oarlock::tidy {

/// "suite.name" of every GoogleTest in the tree.
[[nodiscard]] std::set<std::string> test_names(const std::vector<source_file>& tree);

/// Each `suite.name` between backquotes in a table of docs/ is a test of the tree.
[[nodiscard]] findings check_named_tests(const std::vector<source_file>& tree);

}  // namespace oarlock::tidy
