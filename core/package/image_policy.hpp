#pragma once
// What the administrator says about plugin images: which are trusted, and how registries are
// reached. A Plugin object can add nothing to it.
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace oarlock::package {

struct image_policy {
  std::string registry = "{}";             ///< of a request, as JSON
  std::string policy = R"({"rules":[]})";  ///< of a request, as JSON; without a rule nothing passes
  std::vector<std::string> pull_secrets;   ///< for every image; names in the daemon's namespace
  std::string providers;  ///< of credentials, JSON: kubelet's `config`, `binDir`; empty: none
};

/// Reads the file of --image-policy: `rules`, `trustedRootFile`, `registry`, `imagePullSecrets`,
/// `credentialProviders`. Files that it names are relative to it. Fields of a rule are
/// oarlock-fetch's to judge (helper/PROTOCOL.md). An empty path is a policy without rules. Blocks.
[[nodiscard]] result<image_policy> read_image_policy(const std::filesystem::path& file);

}  // namespace oarlock::package
