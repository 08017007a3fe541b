#pragma once
// A catalogue of faults is whole: the rows that must have a test name one, and no test named after
// a row ("suite.V3_what_it_shows") is left out. named_tests.hpp checks that what is named exists.
#include "tests/tidy/text.hpp"

namespace oarlock::tidy {

/// `page`: a file of docs/. `rows`: those that must have a test, and whose tests must all be named.
/// A row may have one of `excuses` at the begin of its last column instead.
[[nodiscard]] findings check_catalogue(const std::vector<source_file>& tree,
                                       const std::string& page,
                                       const std::vector<std::string>& rows,
                                       const std::vector<std::string>& excuses = {});

}  // namespace oarlock::tidy
