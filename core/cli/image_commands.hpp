#pragma once
// The commands for plugin images: `oarlock plugin build|push|sign|keygen`, and `inspect` of an
// image. The work is done by oarlock-fetch (core/package/helper), which keeps their flags.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace CLI {
class App;
}

namespace oarlock::cli {

class image_commands {
 public:
  /// Declares them to `plugin`, which must outlive this.
  explicit image_commands(CLI::App& plugin);

  /// Carries out the one that was typed and returns the exit code; none was: nullopt.
  [[nodiscard]] std::optional<int> run() const;

 private:
  std::vector<CLI::App*> commands_;
};

/// True if `oarlock plugin inspect` is to look at an image: a tar file, or no file at all but the
/// name of an image in a registry.
[[nodiscard]] bool is_image(const std::string& target);

/// Runs oarlock-fetch, found beside this program or where an installation has it, on the same
/// terminal; its exit code.
[[nodiscard]] result<int> run_fetch(const std::vector<std::string>& arguments);

/// A folder of this process, removed with all that is in it.
class scratch_folder {
 public:
  scratch_folder();
  ~scratch_folder();
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  /// Empty when it could not be made.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Unpacks an image into `folder`, which must not exist. `options` are those of
/// `oarlock-fetch inspect`, which prints what went wrong.
[[nodiscard]] result<> unpack_image(const std::string& image, const std::filesystem::path& folder,
                                    const std::vector<std::string>& options);

/// Prints what is in the image, then what inspect() says of the plugin in it; the exit code.
/// `options` are those of `oarlock-fetch inspect`.
[[nodiscard]] int inspect_image(const std::string& image, const std::vector<std::string>& options);

}  // namespace oarlock::cli
