#pragma once
// Objects that carry the finalizer of a plugin: only that plugin lets them go.
#include <rapidjson/document.h>

#include <cstddef>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/task.hpp"
#include "core/kube/client.hpp"
#include "core/kube/resource.hpp"

namespace oarlock::package {

/// "oarlock.dev/<plugin>".
[[nodiscard]] std::string finalizer_of(const std::string& plugin);

/// Calls `take` for each object of a kind, page by page, until it fails. A kind that is not served
/// has none.
[[nodiscard]] task<result<>> for_each_listed(
    kube::client* client, kube::resource kind, kube::list_options how,
    std::function<result<>(const rapidjson::Value& object)> take, std::stop_token stop);

struct held_objects {
  std::size_t count = 0;
  std::string first;  ///< "myapps.example.com namespace/name" of one of them
};

/// Lists all objects of these kinds, their metadata alone, in one namespace or (empty) in all. A
/// kind that is not served has none.
[[nodiscard]] task<result<held_objects>> objects_held(kube::client* client,
                                                      std::vector<kube::resource> kinds,
                                                      std::string finalizer, std::string ns,
                                                      std::stop_token stop);

}  // namespace oarlock::package
