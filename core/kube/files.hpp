#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

#include "core/base/result.hpp"

namespace oarlock::kube {

/// A whole small file. Fails with kube_error::invalid, naming it, when it is absent, unreadable,
/// not a regular file or longer than `bytes_max`.
[[nodiscard]] result<std::string> read_small_file(const std::filesystem::path& path,
                                                  std::size_t bytes_max);

/// Without the blanks and line ends around it: tokens and namespaces in files end with a newline.
[[nodiscard]] std::string trimmed(const std::string& text);

}  // namespace oarlock::kube
