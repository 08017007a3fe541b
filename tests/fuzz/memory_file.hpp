#pragma once
// A file that is nowhere on disk, for readers that want a path.
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz.hpp"

namespace oarlock::fuzz {

class memory_file {
 public:
  memory_file() : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) { expect(fd_ >= 0, "a memory file"); }
  ~memory_file() { ::close(fd_); }
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;

  void write(std::string_view text) {
    expect(::ftruncate(fd_, 0) == 0, "a memory file that can be emptied");
    const auto written = ::pwrite(fd_, text.data(), text.size(), 0);
    expect(written == static_cast<ssize_t>(text.size()), "a memory file that takes the text");
  }
  [[nodiscard]] std::filesystem::path path() const {
    return "/proc/self/fd/" + std::to_string(fd_);
  }

 private:
  int fd_;
};

}  // namespace oarlock::fuzz
