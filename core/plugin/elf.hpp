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

struct elf_library {
  std::uint16_t machine = 0;
  std::vector<elf_symbol> exports;   ///< defined, and visible to other objects
  std::vector<std::string> imports;  ///< to be found elsewhere when it is mapped
  std::vector<std::string> needed;   ///< DT_NEEDED, in order

  [[nodiscard]] bool exports_function(std::string_view name) const;
};

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
