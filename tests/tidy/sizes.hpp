#pragma once
// Sizes are reported, not enforced: a long function is a question to its reader, not an error.
#include "tests/tidy/text.hpp"

namespace oarlock::tidy {

inline constexpr int function_lines_max = 70;
inline constexpr int header_lines_max = 300;
inline constexpr int source_lines_max = 600;

struct function_size {
  int line = 0;
  int lines = 0;
  std::string head;  // the text before its brace, shortened
};

/// Functions of a C or C++ file, found by their braces; nested ones count with their outer one.
[[nodiscard]] std::vector<function_size> functions_of(const source_file& file);
/// One line per function, header or source above its size.
[[nodiscard]] std::vector<std::string> size_report(const std::vector<source_file>& tree);

}  // namespace oarlock::tidy
