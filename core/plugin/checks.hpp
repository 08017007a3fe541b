#pragma once
// Everything that can be known about a plugin without running any of its code.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/plugin/config.hpp"
#include "core/plugin/elf.hpp"
#include "core/plugin/manifest.hpp"
#include "oarlock/abi.h"

namespace oarlock::plugin {

/// What was found before the first check that failed.
struct candidate {
  std::filesystem::path manifest_file;
  std::filesystem::path library_file;
  std::optional<manifest> declared;
  std::string library_bytes;  ///< of the library, as they were checked
  std::string sha256;         ///< of these
  std::string manifest_sha256;
  std::optional<elf_library> library;

  /// Other bytes, another text.
  [[nodiscard]] std::string fingerprint() const { return manifest_sha256 + sha256; }
};

/// What becomes of a library that exports more than its entry symbol: `warn` is for development.
enum class export_rule { refuse, warn };

/// Whether the library exports nothing beside its entry symbol: other libraries may pick it up. One
/// of Go is excused, which cannot help it and has a process of its own.
[[nodiscard]] result<> check_exports(const candidate& found, export_rule rule);

/// Looks for the plugin at `path` (its folder, its plugin.yaml, or its library; the folder of an
/// image has plugin.json) and checks it in the order that load_plugin() promises. `found` is filled
/// as far as the checks came.
[[nodiscard]] result<> check_plugin(const std::filesystem::path& path, candidate& found);

/// Whether these are the bytes that were verified; an empty `verified` asks for none.
[[nodiscard]] result<> check_fingerprint(const candidate& found, const std::string& verified);

/// Checks what `table`, which may be null, has for the plugin; else `given`. `file_text` becomes
/// what the table's file held.
[[nodiscard]] result<std::string> config_for(const candidate& found, const given_config& given,
                                             const config_table* table, std::string& file_text);

struct abi_version {
  std::uint32_t major = OARLOCK_ABI_MAJOR;
  std::uint32_t minor = OARLOCK_ABI_MINOR;
};

/// What is wrong with a plugin built for `needed`, in a core that offers `offered`; `where` says
/// who claims that.
[[nodiscard]] result<> check_abi(const std::string& where, const abi_version& needed,
                                 const abi_version& offered = {});

/// Whether the plugin may run inside of the daemon. A Go runtime may not: a process has room for
/// one, and it cannot be stopped.
[[nodiscard]] result<> check_core_home(const candidate& found);

/// The C library of this system, "2.36".
[[nodiscard]] std::string own_libc_version();

/// What keeps the library mapped after its last instance is gone, and what to do about it. An
/// upgrade loads the new version beside; these only say what stays behind.
[[nodiscard]] std::vector<std::string> unload_hazards(const elf_library& library);

/// Exported symbols beside the entry symbol: each could be captured by another plugin.
[[nodiscard]] std::vector<std::string> extra_exports(const elf_library& library);

}  // namespace oarlock::plugin
