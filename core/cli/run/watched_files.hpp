#pragma once
// Says when a plugin's files have been written, and then left alone for a moment.
#include <filesystem>
#include <set>
#include <string>

#include "core/base/result.hpp"

namespace oarlock::cli {

class watched_files {
 public:
  /// Of `names` in `folder`.
  watched_files(const std::filesystem::path& folder, std::set<std::string> names);
  ~watched_files();
  watched_files(const watched_files&) = delete;
  watched_files& operator=(const watched_files&) = delete;

  /// Why it does not work; empty when it does.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  /// For poll(): readable when there is something to take in.
  [[nodiscard]] int changes() const { return inotify_; }
  [[nodiscard]] int quiet() const { return timer_; }
  /// Reads what has happened; a file that counts starts the wait for quiet anew.
  void take_changes();
  /// Nothing has been written for a moment: the files are complete, as far as can be told.
  void take_quiet();

 private:
  std::set<std::string> names_;
  int inotify_ = -1;
  int timer_ = -1;
  std::string trouble_;
};

}  // namespace oarlock::cli
