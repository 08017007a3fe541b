#pragma once
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace oarlock::cli {

struct types_options {
  std::vector<std::string> files;
  std::string openapi;  ///< folder of the documents that `kinds` are taken from
  std::vector<std::string> kinds;
  std::string folder = ".";
  /// A file that becomes newer when a header has changed, for builds: the headers include it, so
  /// that whatever was compiled against one of them depends on an output that the build knows.
  std::string stamp = {};
};

/// Writes the headers; returns their names, one a line.
[[nodiscard]] result<std::string> generate_types(const types_options& options);

}  // namespace oarlock::cli
