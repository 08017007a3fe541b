#pragma once
// Rules about the shape of a single file: widths, spaces, header guards, names of extensions.
#include "tests/tidy/text.hpp"

namespace oarlock::tidy {

[[nodiscard]] findings check_width(const source_file& file);
[[nodiscard]] findings check_spaces(const source_file& file);
[[nodiscard]] findings check_header_guard(const source_file& file);
[[nodiscard]] findings check_extension(const source_file& file);
[[nodiscard]] findings check_todo(const source_file& file);
[[nodiscard]] findings check_host_strings(const source_file& file);
[[nodiscard]] findings check_script(const source_file& file);
/// A README fits one screen, and each main folder of the tree has one.
[[nodiscard]] findings check_readmes(const std::vector<source_file>& tree);

}  // namespace oarlock::tidy
