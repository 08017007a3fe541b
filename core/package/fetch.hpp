#pragma once
// What is said to oarlock-fetch and what it answers (helper/PROTOCOL.md). Pure, but for fetch().
#include <rapidjson/document.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

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
  /// `config_json` is a dockerConfig: {"auths": {...}}; anything else adds nothing.
  void add_config(std::string_view config_json);
  /// Empty when nothing was added.
  [[nodiscard]] std::string json() const;

 private:
  void merge(const rapidjson::Value& auths);

  rapidjson::Document all_;
  bool has_any_ = false;
};

/// What the administrator's credential providers say about one image.
struct provided_credentials {
  std::string docker_config;  ///< JSON
  std::string cache;          ///< JSON: goes into the next request
  std::string problems;       ///< of providers that gave no answer; empty: there are none
};
[[nodiscard]] std::string credentials_request_json(const std::string& image,
                                                   const image_policy& admin,
                                                   const std::string& cache);
[[nodiscard]] result<provided_credentials> parse_credentials(std::string_view text);

/// Asks them, by the helper `program`, which runs them with this process's environment, as kubelet
/// does, and never talks to a registry itself. `cache` is that of the answer before, or empty.
[[nodiscard]] task<result<provided_credentials>> ask_providers(kube::exec_runner run,
                                                               std::string program,
                                                               std::string image,
                                                               image_policy admin,
                                                               std::string cache);

/// Removes from the store `folder` what none of the images (REPOSITORY@sha256:...) needs, but for
/// some that were pulled last; nothing while something is pulled. Returns the bytes that went.
[[nodiscard]] task<result<std::int64_t>> prune(kube::exec_runner run, std::string program,
                                               std::filesystem::path folder,
                                               std::vector<std::string> images);

/// Runs the helper `program`: without this process's environment but for what reaches a registry
/// (proxies, the system's certificates), with the request on its standard input.
[[nodiscard]] task<result<fetched_image>> fetch(kube::exec_runner run, std::string program,
                                                fetch_request request);

}  // namespace oarlock::package
