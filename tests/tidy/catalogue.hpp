#pragma once
// docs/fault-catalogue.md is whole: the rows that must have a test name one, and no test named
// after a row ("suite.V3_what_it_shows") is left out. named_tests.hpp checks that what is named
// exists.
#include "tests/tidy/text.hpp"

namespace oarlock::tidy {

/// `rows`: those that must have a test, and whose tests must all be named.
[[nodiscard]] findings check_catalogue(const std::vector<source_file>& tree,
                                       const std::vector<std::string>& rows);

}  // namespace oarlock::tidy
