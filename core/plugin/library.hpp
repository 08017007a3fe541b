#pragma once
// Libraries in this process. They stay mapped until it ends: unloading C++ code is not safe,
// threads and thread-local destructors may still point into it.
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "oarlock/plugin.h"

namespace oarlock::plugin {

/// Maps the library at a path (all symbols resolved now, none offered to others) and returns its
/// entry function. Runs the library's constructors: check_plugin() comes first.
[[nodiscard]] result<oarlock_plugin_entry> map_library(const std::filesystem::path& file);

/// A mapped library that somebody uses. Copies share the use. Thread: any.
class library_use {
 public:
  library_use(oarlock_plugin_entry entry, std::shared_ptr<void> use)
      : entry_(entry), use_(std::move(use)) {}
  [[nodiscard]] oarlock_plugin_entry entry() const { return entry_; }

 private:
  oarlock_plugin_entry entry_;
  std::shared_ptr<void> use_;
};

/// Maps exactly `bytes`, whatever is at `file` by now, beside everything else that is mapped; the
/// same bytes are mapped once. `sha256` is theirs, `file` where they came from. Thread: any.
[[nodiscard]] result<library_use> map_bytes(const std::filesystem::path& file,
                                            const std::string& bytes, const std::string& sha256);

struct library_counts {
  std::size_t mapped = 0;
  std::size_t unused = 0;  ///< no instance of a plugin is left in them
};
[[nodiscard]] library_counts count_libraries();

/// What map_bytes() has mapped, a line for each with the name that a stack trace shows, the file
/// and its digest; for crash records. Async-signal-safe: calls `show` for each text.
void show_libraries(void (*show)(const char* line));

}  // namespace oarlock::plugin
