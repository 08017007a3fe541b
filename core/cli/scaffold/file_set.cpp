#include "core/cli/scaffold/file_set.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include "core/cli/scaffold/errors.hpp"

namespace oarlock::cli {

namespace fs = std::filesystem;

namespace {

error not_written(const fs::path& what, const std::string& why) {
  return {scaffold_error::not_written,
          fmt::format("{}: expected to write it, found: {}", what.string(), why)};
}

std::optional<std::string> slurp(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

/// Ctrl-C and its like wait until this is gone.
class signals_held {
 public:
  signals_held() {
    sigset_t these;
    sigemptyset(&these);
    for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
      sigaddset(&these, s);
    pthread_sigmask(SIG_BLOCK, &these, &before_);
  }
  ~signals_held() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_held(const signals_held&) = delete;
  signals_held& operator=(const signals_held&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

result<std::string> file_set::text_of(const std::string& path) const {
  if (const auto found = files_.find(path); found != files_.end()) return found->second;
  if (auto text = slurp(folder_ / path)) return *std::move(text);
  return error{scaffold_error::no_project,
               fmt::format("expected the file {} of the project, found none", path)};
}

std::vector<std::string> file_set::conflicts() const {
  std::vector<std::string> found;
  for (const auto& [path, text] : files_) {
    if (exists(path) && slurp(folder_ / path) != text) found.push_back(path);
  }
  return found;
}

std::vector<std::string> file_set::missing() const {
  std::vector<std::string> found;
  for (const auto& [path, text] : files_) {
    if (!exists(path)) found.push_back(path);
  }
  return found;
}

bool file_set::exists(const std::string& path) const {
  std::error_code none;
  return fs::exists(fs::symlink_status(folder_ / path, none));
}

result<> file_set::write() const {
  const signals_held until_the_end;
  auto pattern = (folder_ / ".oarlock-new-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return not_written(folder_, std::strerror(errno));
  auto done = write_all(pattern);
  if (done) done = move_all(pattern);
  std::error_code ignored;
  fs::remove_all(pattern, ignored);
  return done;
}

result<> file_set::write_all(const fs::path& beside) const {
  std::error_code failed;
  for (const auto& [path, text] : files_) {
    fs::create_directories((beside / path).parent_path(), failed);
    if (failed) return not_written(path, failed.message());
    if (fs::is_directory(folder_ / path, failed)) return not_written(path, "a folder");
    auto parent = (folder_ / path).parent_path();
    while (!fs::exists(parent, failed) && parent.has_relative_path())
      parent = parent.parent_path();
    if (!fs::is_directory(parent, failed)) return not_written(path, parent.string() + " is a file");
    std::ofstream out(beside / path, std::ios::binary);
    out << text;
    out.close();
    if (!out) return not_written(path, std::strerror(errno));
  }
  return {};
}

result<> file_set::move_all(const fs::path& beside) const {
  std::error_code failed;
  for (const auto& [path, text] : files_) {
    fs::create_directories((folder_ / path).parent_path(), failed);
    fs::rename(beside / path, folder_ / path, failed);
    if (failed) return not_written(path, failed.message());
  }
  return {};
}

}  // namespace oarlock::cli
