#pragma once
// What is said to oarlock-fetch and what it answers (helper/PROTOCOL.md). Pure, but for fetch().
#include <rapidjson/document.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/base/task.hpp"
#include "core/kube/exec_plugin.hpp"
#include "core/package/image_policy.hpp"

namespace oarlock::package {

struct fetch_request {
  std::string image;             ///< by tag or by digest
  std::filesystem::path output;  ///< must not exist; its parent must
  std::filesystem::path store;   ///< what was pulled before
  std::string docker_config;     ///< JSON; empty: no credentials
  image_policy admin;
  duration timeout = std::chrono::minutes(2);
};

/// An image that passed the policy and lies unpacked in a folder.
struct fetched_image {
  std::string image;                         ///< REPOSITORY@sha256:..., mirrors applied
  std::string digest;                        ///< sha256:...
  std::string rule;                          ///< of the policy, by name
  std::string mode;                          ///< of that rule: key, keyless, digest or none
  std::string signer;                        ///< empty without a signature
  std::map<std::string, std::string> files;  ///< path to its SHA-256
};

[[nodiscard]] std::string request_json(const fetch_request& request);

/// A refusal is an error with the reason and the message of the helper.
[[nodiscard]] result<fetched_image> parse_answer(std::string_view text);

/// "repo/name" of "repo/name:tag" and of "repo/name@sha256:...".
[[nodiscard]] std::string repository_of(std::string_view image);

/// Several Secrets of type kubernetes.io/dockerconfigjson, as the API server has them, as one
/// configuration; of two entries for one registry the first counts.
class docker_configs {
 public:
  docker_configs();
  /// `name` is for the error.
  [[nodiscard]] result<> add(const std::string& name, std::string_view secret_json);
  /// Empty when nothing was added.
  [[nodiscard]] std::string json() const;

 private:
  rapidjson::Document all_;
  bool has_any_ = false;
};

/// Runs the helper `program`: without this process's environment but for what reaches a registry
/// (proxies, the system's certificates), with the request on its standard input.
[[nodiscard]] task<result<fetched_image>> fetch(kube::exec_runner run, std::string program,
                                                fetch_request request);

}  // namespace oarlock::package
