#pragma once
// Rules about who includes whom: the direction of the core's folders, the wall around plugins, and
// headers nobody needs.
#include <set>

#include "tests/tidy/text.hpp"

namespace oarlock::tidy {

struct include {
  std::string target;
  int line = 0;
};

[[nodiscard]] std::vector<include> includes_of(const source_file& file);
/// The tree's file that `target` names when `from` includes it; "" when it is not in the tree.
[[nodiscard]] std::string resolve(const std::string& from, const std::string& target,
                                  const std::set<std::string>& paths);
/// Why a file at `from` must not include the tree's file `to`; "" when it may.
[[nodiscard]] std::string forbidden_include(const std::string& from, const std::string& to);
[[nodiscard]] findings check_includes(const std::vector<source_file>& tree);
/// Headers that nobody includes, and sources that no CMakeLists.txt names or globs.
[[nodiscard]] findings check_dead_files(const std::vector<source_file>& tree);

}  // namespace oarlock::tidy
