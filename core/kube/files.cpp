#include "core/kube/files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/kube/errors.hpp"

namespace oarlock::kube {

result<std::string> read_small_file(const std::filesystem::path& path, std::size_t bytes_max) {
  const auto refused = [&](const std::string& why) {
    return error{kube_error::invalid, path.string() + ": " + why};
  };
  std::error_code ec;
  const auto kind = std::filesystem::status(path, ec);
  if (kind.type() == std::filesystem::file_type::not_found) {
    return refused("expected a file, found none");
  }
  if (ec) return refused("expected a readable file: " + ec.message());
  // A pipe or a device could block the loop for ever.
  if (!std::filesystem::is_regular_file(kind)) return refused("expected a regular file");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return refused(std::string("expected a readable file: ") + std::strerror(errno));
  std::string text(bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return refused("reading it failed");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > bytes_max) {
    return refused("expected at most " + std::to_string(bytes_max) + " bytes, found more");
  }
  text.shrink_to_fit();
  return text;
}

std::string trimmed(const std::string& text) {
  constexpr auto blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace oarlock::kube
