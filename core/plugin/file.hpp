#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

#include "core/base/result.hpp"

namespace oarlock::plugin {

/// The bytes of a regular file of at most `bytes_max`. Blocks: for start-up and tools only.
[[nodiscard]] result<std::string> read_file(const std::filesystem::path& file,
                                            std::size_t bytes_max);

}  // namespace oarlock::plugin
