#include "core/plugin/file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/plugin/errors.hpp"

namespace oarlock::plugin {

result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max) {
  const auto missing = [&](std::string what) {
    return error{plugin_error::missing, fmt::format("{}: {}", file.string(), what)};
  };
  std::error_code failed;
  const auto status = std::filesystem::status(file, failed);
  if (!std::filesystem::exists(status)) {
    return missing("expected a file, found none; check the path");
  }
  if (!std::filesystem::is_regular_file(status)) {
    return missing("expected a regular file, found something else; check the path");
  }
  const auto size = std::filesystem::file_size(file, failed);
  if (!failed && size > bytes_max) {
    return missing(fmt::format("expected at most {} bytes, found {}", bytes_max, size));
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) return missing(fmt::format("cannot read it: {}", std::strerror(errno)));
  std::string bytes(static_cast<std::size_t>(size), '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (in.bad()) return missing("cannot read it to its end");
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

}  // namespace oarlock::plugin
