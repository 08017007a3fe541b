#include "core/plugin/programs.hpp"

#include <fmt/format.h>

#include "core/plugin/errors.hpp"

namespace oarlock::plugin {

result<std::filesystem::path> own_program(const std::string& name) {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) {
    return error{plugin_error::no_host, "expected /proc/self/exe, found: " + failed.message()};
  }
  const auto folder = self.parent_path();
  for (const auto& program : {folder / name, folder.parent_path() / "libexec/oarlock" / name}) {
    if (std::filesystem::exists(program, failed)) return program;
  }
  return error{plugin_error::no_host,
               fmt::format("expected {} beside this program ({}), found none; make build builds it",
                           name, folder.string())};
}

}  // namespace oarlock::plugin
