#include "core/cli/generate.hpp"

#include <filesystem>
#include <fstream>

#include "core/codegen/errors.hpp"
#include "core/codegen/generate.hpp"

namespace oarlock::cli {

namespace {

void include_stamp(std::vector<codegen::generated_file>& files, const types_options& options) {
  namespace fs = std::filesystem;
  const auto stamp = fs::absolute(options.stamp).lexically_normal();
  const auto folder = fs::absolute(options.folder).lexically_normal();
  constexpr std::string_view once = "#pragma once\n";
  for (auto& one : files) {
    const auto from = (folder / one.name).parent_path();
    one.text.insert(
        one.text.find(once) + once.size(),
        "#include \"" + stamp.lexically_relative(from).string() + "\"  // the build's\n");
  }
}

}  // namespace

result<std::string> generate_types(const types_options& options) {
  if (options.files.empty() && options.openapi.empty()) {
    return error{
        codegen::codegen_error::bad_document,
        "expected a file with a CustomResourceDefinition or a plugin.yaml, found none; try "
        "`oarlock generate types crds/x.yaml -o include`"};
  }
  std::vector<codegen::generated_file> files;
  const auto add = [&](result<std::vector<codegen::generated_file>> made) -> result<> {
    if (!made) return made.error();
    files.insert(files.end(), made->begin(), made->end());
    return {};
  };
  for (const auto& file : options.files) {
    if (const auto added = add(codegen::types_of_file(file)); !added) return added.error();
  }
  if (!options.openapi.empty()) {
    const auto added = add(codegen::types_of_openapi(options.openapi, options.kinds));
    if (!added) return added.error();
  }
  if (!options.stamp.empty()) include_stamp(files, options);
  const auto changed = codegen::write_files(files, options.folder);
  if (!changed) return changed.error();
  std::string names;
  for (const auto& one : files)
    names += one.name.string() + '\n';
  if (!options.stamp.empty() && (*changed || !std::filesystem::exists(options.stamp))) {
    std::ofstream out(options.stamp);
    for (const auto& one : files)
      out << "// " << one.name.string() << '\n';
    if (!out.flush()) {
      return error{codegen::codegen_error::not_written, options.stamp + ": could not be written"};
    }
  }
  return names;
}

}  // namespace oarlock::cli
