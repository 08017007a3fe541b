#include "core/plugin/sealed_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/plugin/errors.hpp"

namespace oarlock::plugin {

namespace {

// MFD_EXEC, which older headers lack and older kernels refuse: without it a kernel may be set to
// make such files not executable.
constexpr unsigned executable = 0x10;

int make_file(const std::string& name) {
  constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = ::memfd_create(name.c_str(), flags | executable);
  return fd >= 0 || errno != EINVAL ? fd : ::memfd_create(name.c_str(), flags);
}

bool write_all(int fd, std::string_view rest) {
  while (!rest.empty()) {
    const auto written = ::write(fd, rest.data(), rest.size());
    if (written <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

result<wire::descriptor> sealed_file(const std::string& name, const std::string& bytes) {
  wire::descriptor file(make_file(name));
  constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  const bool done = file.get() >= 0 && write_all(file.get(), bytes) &&
                    ::fcntl(file.get(), F_ADD_SEALS, seals) == 0;
  if (done) file.reset(::fcntl(file.get(), F_DUPFD_CLOEXEC, first_free_fd));
  if (done && file.get() >= 0) return file;
  return error{plugin_error::not_mapped,
               fmt::format("expected a sealed memory file for {}, found none: {}; allow "
                           "memfd_create() and enough memory and descriptors",
                           name, std::strerror(errno))};
}

}  // namespace oarlock::plugin
