#include "tests/tidy/includes.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

namespace oarlock::tidy {
namespace {

// A folder of the core includes itself and what stands before it.
constexpr std::array<std::string_view, 14> core_order = {
    "base",   "json",    "net",     "kube",    "cache",   "election", "controller",
    "plugin", "codegen", "package", "metrics", "inbound", "daemon",   "cli"};

int core_rank(const std::string& folder) {
  const auto it = std::find(core_order.begin(), core_order.end(), folder);
  return it == core_order.end() ? -1 : static_cast<int>(it - core_order.begin());
}

// "net" of "core/net/http/x.hpp"; "" outside core.
std::string second_part(const std::string& path, const std::string& first) {
  if (!in_folder(path, first)) return "";
  const std::size_t start = first.size() + 1;
  const std::size_t slash = path.find('/', start);
  return slash == std::string::npos ? "" : path.substr(start, slash - start);
}

std::string forbidden_in_core(const std::string& from, const std::string& to) {
  const bool support = is_test(from) && in_folder(to, "tests/support");
  if (in_folder(to, "plugin-api") || support) return "";
  if (!in_folder(to, "core")) return "core includes core and plugin-api";
  const std::string a = second_part(from, "core");
  const std::string b = second_part(to, "core");
  if (a == b) return "";
  if (b == "daemon") return "nothing includes core/daemon";
  if (core_rank(a) < 0 || core_rank(b) < 0)
    return "a folder in the order of tests/tidy/includes.cpp";
  if (core_rank(b) > core_rank(a)) return "core/" + a + " includes only folders left of it";
  return "";
}

std::string forbidden_in_plugin(const std::string& from, const std::string& to) {
  const bool support = is_test(from) && in_folder(to, "tests/support");
  const bool own = second_part(from, "plugins") == second_part(to, "plugins");
  if (in_folder(to, "plugin-api") || support || (in_folder(to, "plugins") && own)) return "";
  return "a plugin includes plugin-api and its own files";
}

bool must_be_reachable(const std::string& path) {
  return in_folder(path, "core") || in_folder(path, "plugin-api") || in_folder(path, "plugins");
}

// The build texts that may name a source: those of its folder and of the folders above.
bool is_named_by_build(const std::string& path, const std::map<std::string, std::string>& build) {
  for (std::string folder = folder_of(path);; folder = folder_of(folder)) {
    const auto it = build.find(folder);
    if (it != build.end()) {
      const std::string& text = it->second;
      const bool all = text.find("GLOB") != std::string::npos ||
                       text.find("oarlock_core_library(") != std::string::npos;
      if (all || text.find(name_of(path)) != std::string::npos) return true;
    }
    if (folder.empty()) return false;
  }
}

}  // namespace

std::vector<include> includes_of(const source_file& file) {
  std::vector<include> out;
  int number = 0;
  for (std::string_view line : lines_of(file.text)) {
    ++number;
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (!line.starts_with("#include")) continue;
    const std::size_t open = line.find_first_of("<\"");
    if (open == std::string_view::npos) continue;
    const std::size_t close = line.find(line[open] == '<' ? '>' : '"', open + 1);
    if (close == std::string_view::npos) continue;
    out.push_back({std::string(line.substr(open + 1, close - open - 1)), number});
  }
  return out;
}

std::string resolve(const std::string& from, const std::string& target,
                    const std::set<std::string>& paths) {
  static const std::array<std::string, 6> roots = {
      "", "core", "plugin-api/include", "plugin-api/sdk", "plugin-api/sdk/include", "tests"};
  const std::string beside =
      (std::filesystem::path(folder_of(from)) / target).lexically_normal().generic_string();
  if (paths.contains(beside)) return beside;
  for (const std::string& root : roots) {
    const std::string path = root.empty() ? target : root + "/" + target;
    if (paths.contains(path)) return path;
  }
  return "";
}

std::string forbidden_include(const std::string& from, const std::string& to) {
  if (in_folder(from, "core")) return forbidden_in_core(from, to);
  if (in_folder(from, "plugins")) return forbidden_in_plugin(from, to);
  if (in_folder(from, "plugin-api") && !in_folder(to, "plugin-api")) {
    return "plugin-api includes only itself";
  }
  // A fuzz target drives the parser of flags and configuration.
  if (in_folder(to, "core/daemon") && !in_folder(from, "tests/fuzz")) {
    return "nothing includes core/daemon";
  }
  return "";
}

findings check_includes(const std::vector<source_file>& tree) {
  std::set<std::string> paths;
  for (const source_file& file : tree)
    paths.insert(file.path);
  findings out;
  for (const source_file& file : tree) {
    if (!is_c_family(file.path)) continue;
    for (const include& i : includes_of(file)) {
      const std::string to = resolve(file.path, i.target, paths);
      if (to.empty()) continue;
      const std::string why = forbidden_include(file.path, to);
      if (!why.empty()) out.push_back({file.path, i.line, "#include of " + to, why});
    }
  }
  return out;
}

findings check_dead_files(const std::vector<source_file>& tree) {
  std::set<std::string> paths;
  std::map<std::string, std::string> build;
  for (const source_file& file : tree) {
    paths.insert(file.path);
    if (name_of(file.path) == "CMakeLists.txt") build[folder_of(file.path)] = file.text;
  }
  std::set<std::string> included;
  for (const source_file& file : tree) {
    if (!is_c_family(file.path)) continue;
    for (const include& i : includes_of(file)) {
      const std::string to = resolve(file.path, i.target, paths);
      if (to != file.path) included.insert(to);
    }
  }
  findings out;
  for (const source_file& file : tree) {
    if (!must_be_reachable(file.path)) continue;
    const std::string extension = extension_of(file.path);
    if ((extension == ".hpp" || extension == ".h") && !included.contains(file.path)) {
      out.push_back({file.path, 0, "a header that no file includes", "a user, or its removal"});
    }
    if (extension == ".cpp" && !is_named_by_build(file.path, build)) {
      out.push_back(
          {file.path, 0, "a source that no CMakeLists.txt names", "a target, or its removal"});
    }
  }
  return out;
}

}  // namespace oarlock::tidy
