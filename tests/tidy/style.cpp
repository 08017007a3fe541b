#include "tests/tidy/style.hpp"

#include <array>
#include <set>

namespace oarlock::tidy {
namespace {

constexpr int columns_max = 100;
constexpr int readme_lines_max = 60;
constexpr int tab_width = 4;

bool has_width_limit(const source_file& file) {
  const std::string name = name_of(file.path);
  const std::string extension = extension_of(file.path);
  return name != "LICENSE" && extension != ".json";  // both are written by others or by machines
}

bool may_be_wide(const source_file& file, std::string_view line) {
  if (line.find("://") != std::string_view::npos) return true;  // a URL cannot be broken
  return extension_of(file.path) == ".md" && line.starts_with("|");
}

std::string shortened(std::string_view line) {
  const std::size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos) return "an empty line";
  return "\"" + std::string(line.substr(start, 60)) + "\"";
}

bool is_build_text(const source_file& file) {
  return extension_of(file.path) == ".cmake" || name_of(file.path) == "CMakeLists.txt";
}

// Folders whose reader needs to know why they exist.
bool is_main_folder(const std::string& folder) {
  static const std::set<std::string> top = {"plugin-api", "core",  "plugins", "deploy",
                                            "tests",      "bench", "docs"};
  if (top.contains(folder)) return true;
  static const std::set<std::string> parents = {"core", "plugins", "deploy"};
  return parents.contains(folder_of(folder));
}

}  // namespace

findings check_width(const source_file& file) {
  findings out;
  if (!has_width_limit(file)) return out;
  int number = 0;
  for (const std::string_view line : lines_of(file.text)) {
    ++number;
    const int width = columns(line, tab_width);
    if (width <= columns_max || may_be_wide(file, line)) continue;
    out.push_back({file.path, number, std::to_string(width) + " columns in " + shortened(line),
                   "at most " + std::to_string(columns_max)});
  }
  return out;
}

findings check_spaces(const source_file& file) {
  findings out;
  if (name_of(file.path) == "LICENSE") return out;
  const bool no_tabs = is_c_family(file.path) || is_build_text(file);
  int number = 0;
  for (const std::string_view line : lines_of(file.text)) {
    ++number;
    if (line.ends_with(' ') || line.ends_with('\t') || line.ends_with('\r')) {
      out.push_back({file.path, number, "space at the end of " + shortened(line), "none"});
    }
    if (no_tabs && line.find('\t') != std::string_view::npos) {
      out.push_back({file.path, number, "a tab in " + shortened(line), "spaces"});
    }
  }
  if (!file.text.empty() && !file.text.ends_with('\n')) {
    out.push_back({file.path, number, "no line break at the end of the file", "one"});
  }
  return out;
}

findings check_header_guard(const source_file& file) {
  const std::string extension = extension_of(file.path);
  const bool once = file.text.find("#pragma once") != std::string::npos;
  if (extension == ".hpp" && !once)
    return {{file.path, 1, "a header without a guard", "#pragma once"}};
  if (extension == ".h" && !once && file.text.find("#ifndef OARLOCK_") == std::string::npos) {
    return {{file.path, 1, "a C header without a guard", "#pragma once or #ifndef OARLOCK_..."}};
  }
  return {};
}

findings check_extension(const source_file& file) {
  static const std::set<std::string> never = {".cc", ".cxx", ".hh", ".hxx", ".C"};
  const std::string extension = extension_of(file.path);
  if (never.contains(extension)) {
    return {{file.path, 0, "the extension " + extension, ".hpp and .cpp for C++, .h and .c for C"}};
  }
  const bool c_world = in_folder(file.path, "plugin-api") || in_folder(file.path, "tests/abi");
  if ((extension == ".h" || extension == ".c") && !c_world) {
    return {{file.path, 0, "a C file outside plugin-api and tests/abi", ".hpp or .cpp here"}};
  }
  return {};
}

findings check_todo(const source_file& file) {
  findings out;
  if (extension_of(file.path) == ".md" || extension_of(file.path) == ".json") return out;
  static const std::string mark = std::string("TO") + "DO";
  static constexpr std::array<std::string_view, 5> types = {"perf", "security", "cleanup", "test",
                                                            "now"};
  for (std::size_t at = file.text.find(mark); at != std::string::npos;
       at = file.text.find(mark, at + 1)) {
    const bool inside_word =
        (at > 0 && is_identifier_char(file.text[at - 1])) ||
        (at + mark.size() < file.text.size() && is_identifier_char(file.text[at + mark.size()]));
    const std::string_view rest = std::string_view(file.text).substr(at + mark.size());
    bool typed = false;
    for (const std::string_view type : types) {
      typed = typed || rest.starts_with("(" + std::string(type) + "):");
    }
    if (inside_word || typed) continue;
    out.push_back({file.path, line_at(file.text, at), mark + " without a type",
                   mark + "(perf|security|cleanup|test|now): what and why"});
  }
  return out;
}

findings check_host_strings(const source_file& file) {
  // Written in two halves so that this file does not find itself.
  static const std::array<std::string, 3> places = {
      std::string("/wo") + "rk/", std::string("/ho") + "me/", std::string("/Us") + "ers/"};
  findings out;
  for (const std::string& place : places) {
    for (std::size_t at = file.text.find(place); at != std::string::npos;
         at = file.text.find(place, at + 1)) {
      const char before = at > 0 ? file.text[at - 1] : ' ';
      const bool part_of_path = is_identifier_char(before) || before == '.' || before == '-' ||
                                before == '}' || before == ')';
      if (part_of_path) continue;
      out.push_back({file.path, line_at(file.text, at), "the path " + place + " of one machine",
                     "a path relative to the tree, or a parameter"});
    }
  }
  return out;
}

findings check_script(const source_file& file) {
  if (extension_of(file.path) != ".sh" && file.path != ".ci/run") return {};
  const bool bash = file.text.starts_with("#!/usr/bin/env bash\n");
  findings out;
  if (!bash && !file.text.starts_with("#!/bin/sh\n")) {
    out.push_back({file.path, 1, "another first line", "#!/usr/bin/env bash (or #!/bin/sh)"});
  }
  const std::string strict = bash ? "set -euo pipefail" : "set -eu";
  if (file.text.find("\n" + strict + "\n") == std::string::npos) {
    out.push_back({file.path, 1, "no strict mode", "a line " + strict});
  }
  return out;
}

findings check_readmes(const std::vector<source_file>& tree) {
  findings out;
  std::set<std::string> folders;
  std::set<std::string> paths;
  for (const source_file& file : tree) {
    paths.insert(file.path);
    for (std::string f = folder_of(file.path); !f.empty(); f = folder_of(f))
      folders.insert(f);
    if (name_of(file.path) != "README.md" || file.path == "README.md") continue;
    const auto count = lines_of(file.text).size();
    if (count > readme_lines_max) {
      out.push_back({file.path, 0, std::to_string(count) + " lines",
                     "one screen: at most " + std::to_string(readme_lines_max)});
    }
  }
  for (const std::string& folder : folders) {
    if (is_main_folder(folder) && !paths.contains(folder + "/README.md")) {
      out.push_back({folder + "/README.md", 0, "no such file",
                     "a README: why the folder exists, key types, where to look, never do"});
    }
  }
  return out;
}

}  // namespace oarlock::tidy
