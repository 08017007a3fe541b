#pragma once
// Whether somebody may do what a manifest comes to: SelfSubjectAccessReviews, asked as that one.
#include <optional>
#include <string>
#include <vector>

#include "core/base/task.hpp"
#include "core/kube/client.hpp"
#include "core/plugin/grants.hpp"
#include "core/plugin/rbac_yaml.hpp"

namespace oarlock::package {

/// The first of `grants` that whoever `asks` is allowed not to do, in words: "list pods in
/// namespace a"; empty: all are allowed. Namespaced ones are asked for `ns`; empty: everywhere.
[[nodiscard]] task<result<std::string>> first_forbidden(kube::client* asks,
                                                        std::vector<plugin::grant> grants,
                                                        std::string ns, std::stop_token stop);

/// By which name the API server knows whoever `asks`; empty: it does not say.
[[nodiscard]] task<std::string> own_user_name(kube::client* asks, std::stop_token stop);

/// Grants to that name, a ServiceAccount's or a user's.
void grant_to(const std::string& user, plugin::rbac_options& options);

}  // namespace oarlock::package
