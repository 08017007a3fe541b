#pragma once
// Files that appear together or not at all.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace oarlock::cli {

class file_set {
 public:
  explicit file_set(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// A file that shall have this text. `path` is relative to the folder.
  void put(const std::string& path, std::string text) { files_[path] = std::move(text); }
  /// The text that a file shall have, or has.
  [[nodiscard]] result<std::string> text_of(const std::string& path) const;
  /// Files that are there with another text.
  [[nodiscard]] std::vector<std::string> conflicts() const;
  /// Files that are not there.
  [[nodiscard]] std::vector<std::string> missing() const;
  [[nodiscard]] bool exists(const std::string& path) const;

  /// Writes all files to a folder beside them, then moves them to their places; with signals held
  /// back, so that Ctrl-C comes before or after. What cannot be written is found before the first
  /// move.
  [[nodiscard]] result<> write() const;

 private:
  [[nodiscard]] result<> write_all(const std::filesystem::path& beside) const;
  [[nodiscard]] result<> move_all(const std::filesystem::path& beside) const;

  std::filesystem::path folder_;
  std::map<std::string, std::string> files_;
};

}  // namespace oarlock::cli
