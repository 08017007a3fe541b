#pragma once
// What all pods of this plugin have in common.
#include <string>

#include "oarlock/k8s/core/v1.hpp"

namespace mysql_cluster {

/// Not root, no rights in the cluster, nothing but what the image's user may do.
void secure(oarlock::k8s::core::v1::pod_spec& pod);
/// Nothing writable but its mounts.
void secure(oarlock::k8s::core::v1::container& container);

[[nodiscard]] oarlock::k8s::core::v1::volume_mount mount(const char* volume, const char* path,
                                                         bool read_only);
[[nodiscard]] oarlock::k8s::core::v1::volume volume_of(const char* name);
/// Keys of a Secret as files that the pod's group reads; all of them without `key`.
[[nodiscard]] oarlock::k8s::core::v1::volume secret_volume(const char* name, std::string secret,
                                                           const char* key = nullptr);
[[nodiscard]] oarlock::k8s::core::v1::volume claim_volume(const char* name, std::string claim,
                                                          bool read_only);
void set_env(oarlock::k8s::core::v1::container& container, const char* name, std::string value);

}  // namespace mysql_cluster
