#pragma once
// A control group (version 1) of the test's own, and whether a sanitizer is in the way of limits.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace oarlock::testing {

#ifdef OARLOCK_SANITIZED
inline constexpr bool under_a_sanitizer = true;
#else
inline constexpr bool under_a_sanitizer = false;
#endif

/// Removed at the end, by when its processes have ended.
class cgroup {
 public:
  /// `controller`: "memory", "pids".
  explicit cgroup(const std::string& controller) {
    auto name = "/sys/fs/cgroup/" + controller + "/oarlock-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return;
    path_ = name;
    usable_ = ::access((path_ / "cgroup.procs").c_str(), W_OK) == 0 &&
              std::filesystem::exists(path_ / "cgroup.clone_children");
  }
  ~cgroup() { ::rmdir(path_.c_str()); }
  cgroup(const cgroup&) = delete;
  cgroup& operator=(const cgroup&) = delete;
  /// Not where this user may make none, or groups are of version 2.
  [[nodiscard]] bool usable() const { return usable_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  bool write(const char* file, const std::string& text) const {
    std::ofstream out(path_ / file);
    out << text;
    return static_cast<bool>(out.flush());
  }

 private:
  std::filesystem::path path_;
  bool usable_ = false;
};

}  // namespace oarlock::testing
