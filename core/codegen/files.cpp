#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "core/codegen/errors.hpp"
#include "core/codegen/generate.hpp"

namespace oarlock::codegen {

result<bool> write_files(const std::vector<generated_file>& files,
                         const std::filesystem::path& folder) {
  bool is_changed = false;
  for (const auto& one : files) {
    const auto path = folder / one.name;
    std::error_code failed;
    std::filesystem::create_directories(path.parent_path(), failed);
    std::ifstream there(path, std::ios::binary);
    std::ostringstream old;
    old << there.rdbuf();
    if (there && old.view() == one.text) continue;
    is_changed = true;
    std::ofstream out(path, std::ios::binary);
    out << one.text;
    out.close();
    if (failed || !out) {
      return error{codegen_error::not_written,
                   fmt::format("{}: expected to write it, could not; is the folder writable?",
                               path.string())};
    }
  }
  return is_changed;
}

}  // namespace oarlock::codegen
