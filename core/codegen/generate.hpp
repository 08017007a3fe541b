#pragma once
// C++ types of Kubernetes objects: `oarlock generate types`. Thread: any.
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace oarlock::codegen {

struct generated_file {
  std::filesystem::path name;  ///< "example.com/v1alpha1/my_app.hpp"
  std::string text;
};

/// One header for each version of a CustomResourceDefinition in YAML or JSON. Errors carry file,
/// line and the path in the document.
[[nodiscard]] result<std::vector<generated_file>> types_of_crd(const std::filesystem::path& file);

/// The header of a plugin's configuration, "myapp/config.hpp" with the struct myapp::config, made
/// of spec.configSchema of its plugin.yaml; none where it has no such schema.
[[nodiscard]] result<std::vector<generated_file>> types_of_manifest(
    const std::filesystem::path& file);

/// One of the two above, by the kind that the document says it has.
[[nodiscard]] result<std::vector<generated_file>> types_of_file(const std::filesystem::path& file);

/// One header for each group and version of built-in kinds, "oarlock/k8s/apps/v1.hpp", without
/// descriptions. `folder` has the API server's OpenAPI v3 documents by the names that they have in
/// its source ("apis__apps__v1_openapi.json"), `kinds` are like "apps/v1/Deployment" and "v1/Pod".
[[nodiscard]] result<std::vector<generated_file>> types_of_openapi(
    const std::filesystem::path& folder, const std::vector<std::string>& kinds);

/// Writes the files below `folder`; those that are there with the same text are left alone. True
/// when there was something to write.
[[nodiscard]] result<bool> write_files(const std::vector<generated_file>& files,
                                       const std::filesystem::path& folder);

}  // namespace oarlock::codegen
