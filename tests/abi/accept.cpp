// Accepts the headers as they are: writes tests/abi/accepted/MAJOR.MINOR/, the snapshot that a
// change of the ABI has to change. While the major is 0, minors that can no longer be targeted are
// removed.
#include <fmt/format.h>

#include <exception>
#include <fstream>
#include <iostream>

#include "oarlock/abi.h"
#include "tests/abi/header_text.hpp"
#include "tests/support/process.hpp"

namespace {

namespace fs = std::filesystem;
using oarlock::abi::abi_items;

constexpr const char* layout_head =
    "/* The layout of plugin ABI {0}.{1}, as plugins built for it rely on it. Written by\n"
    " * build/dev/tests/abi/abi_accept. A line that fails to compile is a broken plugin. */\n"
    "#include \"oarlock/oarlock.h\"\n"
    "#include \"tests/abi/layout.h\"\n\n"
    "ABI_VERSION({0}, {1});\n"
    "_Static_assert(\n"
    "    __builtin_types_compatible_p(__typeof__(&oarlock_plugin_entry_v0), "
    "oarlock_plugin_entry),\n"
    "    \"the entry function has another type\");\n";

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file);
  out << text;
  if (!out.flush()) throw std::runtime_error(file.string() + ": cannot write it");
}

// Sizes and offsets come from the compiler, through a program that prints them.
std::string layout_of(const abi_items& items, const fs::path& source, const std::string& compiler) {
  std::string code = "#include <stdio.h>\n#include \"oarlock/oarlock.h\"\nint main(void) {\n";
  auto member = items.members.begin();
  for (const auto& name : items.structs) {
    code += fmt::format("  printf(\"\\nSIZE({0}, %zu);\\n\", sizeof({0}));\n", name);
    for (; member != items.members.end() && member->owner == name; ++member)
      code += fmt::format("  printf(\"FIELD({0}, {1}, %zu, {2});\\n\", offsetof({0}, {1}));\n",
                          name, member->name, member->type);
  }
  code += "  printf(\"\\n\");\n";
  for (const auto& v : items.values)
    code += fmt::format("  printf(\"VALUE({0}, %d);\\n\", (int){0});\n", v.name);
  code += "  return 0;\n}\n";
  const oarlock::testing::scratch_dir here;
  const fs::path file = here.path() / "print.c";
  const std::string program = (here.path() / "print").string();
  write(file, code);
  const auto built = oarlock::testing::run(
      {compiler, "-I", (source / "plugin-api/include").string(), file.string(), "-o", program});
  if (built.exit_code != 0) throw std::runtime_error(built.err);
  return fmt::format(fmt::runtime(layout_head), OARLOCK_ABI_MAJOR, OARLOCK_ABI_MINOR) +
         oarlock::testing::run({program}).out;
}

void accept(const fs::path& source, const std::string& compiler) {
  const auto text = oarlock::abi::declarations(source / "plugin-api/include");
  const auto layout = layout_of(oarlock::abi::items_of(text), source, compiler);
  const fs::path all = source / "tests/abi/accepted";
  const fs::path here = all / fmt::format("{}.{}", OARLOCK_ABI_MAJOR, OARLOCK_ABI_MINOR);
  for (const auto& version : fs::directory_iterator(all)) {
    const auto name = version.path().filename().string();
    const bool is_old = name.starts_with("0.") && std::stoi(name.substr(2)) < OARLOCK_OLDEST_MINOR;
    if (is_old || version.path() == here) fs::remove_all(version.path());
  }
  write(here / "include/oarlock/oarlock.h", text);
  write(here / "include/.clang-format", "DisableFormat: true\n");
  write(here / "layout.c", layout);
  std::cout << "accepted: " << here.string() << "\n";
}

}  // namespace

int main() {
  try {
    accept(OARLOCK_SOURCE_DIR, C_COMPILER);
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "error: " << e.what() << "\n";
    return 1;
  }
}
