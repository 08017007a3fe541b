#pragma once
// `oarlock init` and `oarlock create api`: a plugin project, and kinds for it.
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace oarlock::cli {

struct init_options {
  std::string domain = "my.domain";
  std::string repo;
  std::string project_name;
  bool force = false;  ///< overwrite what is there
};

struct api_options {
  std::string group, version, kind, plural;
  bool resource = true;    ///< a CRD and a sample
  bool controller = true;  ///< a reconciler, its cases, and its place in plugin.yaml
  bool force = false;
};

/// What was done, for people. Paths are relative to the project.
struct scaffolded {
  std::vector<std::string> created, changed, overwritten, notices;
};

/// Writes a new project into `folder`. All of it or nothing: the files are written beside and moved
/// at the end. Files that are there and differ are an error that names them, but with `force`.
[[nodiscard]] result<scaffolded> init_project(const std::filesystem::path& folder,
                                              const init_options& options);

/// Adds a kind to the project in `folder`, by the same rules.
[[nodiscard]] result<scaffolded> create_api(const std::filesystem::path& folder,
                                            const api_options& options);

}  // namespace oarlock::cli
