#include "core/plugin/lease_page.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <new>

#include "core/plugin/errors.hpp"
#include "core/plugin/sealed_file.hpp"

namespace oarlock::plugin {

namespace {

// Linux 5.1; older headers lack it.
constexpr int seal_future_write = 0x10;
constexpr std::size_t page_size = sizeof(lease_limit);

void* map(int fd, int access) {
  void* const at = ::mmap(nullptr, page_size, access, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

result<std::unique_ptr<lease_page>> lease_page::make() {
  wire::descriptor file(::memfd_create("oarlock-lease", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  void* at = nullptr;
  if (file.get() >= 0 && ::ftruncate(file.get(), page_size) == 0) {
    at = map(file.get(), PROT_READ | PROT_WRITE);
  }
  // This mapping stays, and there will be no other that can be written.
  constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | seal_future_write;
  const bool done = at != nullptr && ::fcntl(file.get(), F_ADD_SEALS, seals) == 0;
  if (done) file.reset(::fcntl(file.get(), F_DUPFD_CLOEXEC, first_free_fd));
  if (done && file.get() >= 0) {
    auto* const limit = new (at) lease_limit(std::numeric_limits<std::int64_t>::min());
    return std::unique_ptr<lease_page>(new lease_page(std::move(file), limit));
  }
  const int why = errno;
  if (at != nullptr) ::munmap(at, page_size);
  return error{plugin_error::not_mapped,
               fmt::format("expected a memory file for the lease's limit, found none: {}; allow "
                           "memfd_create() and its seals (Linux 5.1)",
                           std::strerror(why))};
}

lease_page::~lease_page() {
  ::munmap(limit_, page_size);
}

const lease_limit* map_lease_page(int fd) {
  return static_cast<const lease_limit*>(map(fd, PROT_READ));
}

}  // namespace oarlock::plugin
