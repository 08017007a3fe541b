#pragma once
// What every rule works on: one file of the tree, its lines, and its code without comments.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace oarlock::tidy {

/// A text file; `path` is relative to the root of the tree, with '/' between folders.
struct source_file {
  std::string path;
  std::string text;
};

/// One violation, worded so that the reader knows what to do.
struct finding {
  std::string path;
  int line = 0;  // 0: the whole file
  std::string found;
  std::string expected;
};

using findings = std::vector<finding>;

/// "path:line: found ...; expected ..."
[[nodiscard]] std::string describe(const finding& f);

[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);
/// Columns of a line: UTF-8 code points, a tab counts `tab_width`.
[[nodiscard]] int columns(std::string_view line, int tab_width);
/// C++ or C text with comments, strings and character literals blanked; line breaks stay.
[[nodiscard]] std::string code_only(std::string_view text);
/// The line number (from 1) of an offset.
[[nodiscard]] int line_at(std::string_view text, std::size_t offset);

[[nodiscard]] bool is_identifier_char(char c);
[[nodiscard]] bool in_folder(std::string_view path, std::string_view folder);
[[nodiscard]] std::string folder_of(std::string_view path);
[[nodiscard]] std::string name_of(std::string_view path);
/// ".cpp", ".hpp", ...; "" when there is none.
[[nodiscard]] std::string extension_of(std::string_view path);
[[nodiscard]] bool is_cpp(std::string_view path);       // .cpp .hpp
[[nodiscard]] bool is_c_family(std::string_view path);  // .cpp .hpp .c .h
[[nodiscard]] bool is_test(std::string_view path);  // *_test.cpp, and *_test.hpp that they share

/// The text files of the tree that a person could have written: without .git and build folders.
[[nodiscard]] std::vector<source_file> read_tree(const std::filesystem::path& root);

}  // namespace oarlock::tidy
