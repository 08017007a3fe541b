#pragma once
// The command line and the configuration file.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/daemon/options.hpp"

namespace oarlock::daemon {

/// Either options to run with, or what to print and exit with.
struct parsed_flags {
  std::optional<options> run = {};
  int exit_code = 0;
  std::string out = {};  ///< for standard output
  std::string err = {};  ///< for standard error
};

/// Reads `args` (without the program's name) and the file that --config names. Mistakes give exit
/// code 2 and say what was expected and found, with file, line and column where there is one.
[[nodiscard]] parsed_flags parse_flags(const std::vector<std::string>& args,
                                       const std::string& version,
                                       const std::string& pod_namespace);

/// Applies a configuration file to `o`, without the settings named in `except` (those came by
/// flag).
[[nodiscard]] result<> read_config_file(const std::filesystem::path& file,
                                        const std::vector<std::string>& except, options& o);

}  // namespace oarlock::daemon
