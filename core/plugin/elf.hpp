#pragma once
// What an ELF shared object says about itself, read from its bytes before any of it is mapped.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace oarlock::plugin {

struct elf_symbol {
  std::string name;
  bool is_function = false;
};

/// A version of another library's symbols that must be there: {"libc.so.6", "GLIBC_2.34"}.
struct elf_version {
  std::string library;
  std::string name;
};

struct elf_library {
  std::uint16_t machine = 0;
  std::vector<elf_symbol> exports;   ///< defined, and visible to other objects
  std::vector<std::string> imports;  ///< to be found elsewhere when it is mapped
  std::vector<std::string> needed;   ///< DT_NEEDED, in order
  std::vector<elf_version> versions;
  std::string run_path;            ///< DT_RUNPATH or DT_RPATH
  std::size_t unique_symbols = 0;  ///< STB_GNU_UNIQUE: the dynamic loader never unmaps these
  bool is_never_unmapped = false;  ///< DF_1_NODELETE
  bool has_executable_stack = false;
  bool has_go_runtime = false;  ///< by the note that the Go linker leaves

  [[nodiscard]] bool exports_function(std::string_view name) const;
  [[nodiscard]] bool imports_symbol(std::string_view name) const;
  /// The highest version of `prefix`, as "2.34" for "GLIBC_"; empty: none is needed.
  [[nodiscard]] std::string highest_version(std::string_view prefix) const;
};

/// Less than zero, zero or more: "2.9" is before "2.36".
[[nodiscard]] int compare_versions(std::string_view a, std::string_view b);

/// "x86_64 (62)".
[[nodiscard]] std::string machine_name(std::uint16_t machine);
/// The e_machine of this process.
[[nodiscard]] std::uint16_t own_machine();

/// Reads a 64-bit shared object for this processor. Looks where the dynamic loader looks (program
/// headers and dynamic section, not the section headers), and trusts no offset, size or count in
/// the file: whatever points outside of it is an error. Errors: plugin_error::not_a_library,
/// wrong_machine; the message says what was expected and found, without the file's name.
[[nodiscard]] result<elf_library> read_elf(std::span<const std::byte> file);

}  // namespace oarlock::plugin
